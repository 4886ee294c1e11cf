import FoundationEssentials
import Glibc
import MariaDB
import ShopParts

/// One run: a shop, a storm in it, and what is left afterwards.
package struct FaultRun: Sendable {
    /// Each is many times what a busy machine was seen to need.
    private static let healSeconds = 60.0
    private static let drainSeconds = 120.0

    package let seed: UInt64
    package let seconds: Double
    package let kinds: Set<Fault.Kind>
    /// Of this run alone; kept if something is wrong.
    package let folder: String
    /// Runs ``ReceiverProcess`` with the arguments that follow.
    package let receiverCommand: [String]

    package init(
        seed: UInt64, seconds: Double, kinds: Set<Fault.Kind>, folder: String,
        receiverCommand: [String]
    ) {
        self.seed = seed
        self.seconds = seconds
        self.kinds = kinds
        self.folder = folder
        self.receiverCommand = receiverCommand
    }

    package struct Result: Sendable {
        /// Nothing, or what is broken, a line each.
        package let wrong: [String]
        /// The whole in a line.
        package let line: String
        /// The rules that were seen to be broken when they were.
        package var noticed: Set<String> = []
    }

    /// - Parameter sabotage: SQL that breaks rules after everything was found to be right, to see
    ///   whether it is noticed.
    /// - Returns: nil when it was interrupted.
    package func run(
        sabotage: String? = nil, isInterrupted: @escaping @Sendable () -> Bool
    ) -> Result? {
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            let dice = kinds.contains(.migration) ? Dice(seed: seed, "migration") : nil
            let shop = try ShopUnderFaults(
                in: folder, receiverCommand: receiverCommand, migrationDice: dice)
            defer { shop.stop() }
            return try run(in: shop, sabotage: sabotage, isInterrupted: isInterrupted)
        } catch {
            return isInterrupted() ? nil : broken(["the run could not go on: \(error)"])
        }
    }

    private func run(
        in shop: ShopUnderFaults, sabotage: String?,
        isInterrupted: @escaping @Sendable () -> Bool
    ) throws -> Result? {
        let before = try Ground(shop.database.connect())
        let journal = try Journal(at: "\(folder)/journal.jsonl")
        let crowd = Crowd(port: shop.port, seed: seed, journal: journal)
        let storm = try Storm(in: shop, crowd)
        storm.rage(seconds: seconds, kinds, isInterrupted: isInterrupted)
        if isInterrupted() { return nil }

        try shop.awaitHealth(within: Self.healSeconds)
        try shop.awaitQuiet(within: Self.healSeconds)
        var resolution = Resolution(of: crowd)
        try resolution.run()
        shop.flushMemcached()
        try resolution.replayAll()
        var wrong = storm.wrong + crowd.wrong + resolution.wrong
        wrong += try drain(shop)
        wrong += shop.posts.filter { $0.name.hasPrefix("serve") || $0.name.hasPrefix("work") }
            .compactMap(\.growth).map { "I5: \($0)" }

        wrong += try loggedErrors()
        let (broken, orders) = try judge(crowd.records.all, in: shop, since: before)
        wrong += broken
        if isInterrupted() { return nil }
        if !wrong.isEmpty { return self.broken(wrong) }
        var result = Result(wrong: [], line: line(crowd, storm, resolution, orders: orders))
        if let sabotage {
            for statement in sabotage.split(separator: ";") {
                try shop.database.connect().execute(String(statement))
            }
            let (broken, _) = try judge(crowd.records.all, in: shop, since: before)
            result.noticed = Set(broken.map { String($0.prefix { $0 != ":" }) })
        }
        return result
    }

    /// What is wrong, and how many orders there are.
    private func judge(
        _ records: [Record], in shop: ShopUnderFaults, since before: Ground
    ) throws -> (wrong: [String], orders: Int) {
        var verdict = Verdict(records, before: before, after: try Ground(shop.database.connect()))
        let received = shop.receiver.received
        verdict.judgeDeliveries(
            received: Set(received.ids), wronglySigned: received.wrong, told: Self.told(in: folder))
        return (verdict.wrong + (try audit(shop)), verdict.orders)
    }

    private func broken(_ wrong: [String]) -> Result {
        let lines = wrong.map { "seed \(seed): \($0)" }
        try? Data((lines.joined(separator: "\n") + "\n").utf8).write(
            to: URL(filePath: "\(folder)/wrong"))
        return Result(
            wrong: lines, line: "BROKEN seed \(seed): \(wrong.count) wrong, see \(folder)/wrong")
    }

    private func line(
        _ crowd: Crowd, _ storm: Storm, _ resolution: Resolution, orders: Int
    ) -> String {
        var happened = storm.happened
        if kinds.contains(.migration) { happened[.migration] = 1 }
        let faults = Fault.Kind.allCases.compactMap { kind in
            happened[kind].map { "\(kind.rawValue) \($0)" }
        }
        let count = happened.values.reduce(0, +)
        return """
            green seed \(seed): \(Int(seconds)) s, \(crowd.requests.count) requests, \(count) faults \
            (\(faults.joined(separator: ", "))), \(resolution.unknown) unknown resolved \
            (\(resolution.hadHappened) had happened), \(orders) orders, 0 wrong
            """
    }

    /// Waits until every event has arrived everywhere. What waits for its next attempt need not wait
    /// as long as the storm has earned it.
    private func drain(_ shop: ShopUnderFaults) throws -> [String] {
        let connection = try shop.database.connect()
        let drained = try eventually(within: Self.drainSeconds, pauseMilliseconds: 250) {
            try connection.execute(
                """
                UPDATE delivery SET due_at = UTC_TIMESTAMP(6)
                WHERE state = 'PENDING' AND due_at > UTC_TIMESTAMP(6) + INTERVAL 5 SECOND
                """)
            let waiting = try connection.number(
                """
                SELECT (SELECT COUNT(*) FROM outbox WHERE dispatched_at IS NULL)
                    + (SELECT COUNT(*) FROM delivery WHERE state = 'PENDING')
                """)
            return waiting == 0 ? true : nil
        }
        return drained == nil ? ["I5: deliveries still wait after \(Self.drainSeconds) s"] : []
    }

    /// What the shop's own audit names. A worker may be at one, too; then it is our turn soon.
    private func audit(_ shop: ShopUnderFaults) throws -> [String] {
        let audit = try eventually(within: Self.healSeconds, pauseMilliseconds: 250) {
            let audit = try runAudit(shop)
            return audit.errors.contains("another audit") ? nil : audit
        }
        guard let audit else { return ["audit: another one does not end"] }
        return audit.status == 0 ? [] : ["audit: \(audit.output) \(audit.errors)"]
    }

    private func runAudit(_ shop: ShopUnderFaults) throws -> Finished {
        try Finished(
            [TestRun.commerce, "audit"],
            settings: [
                "COMMERCE_DATABASE_SOCKET": "\(folder)/mariadb.sock",
                "COMMERCE_DATABASE_NAME": shop.database.name,
                "COMMERCE_DATABASE_USER": shop.database.user,
                "COMMERCE_DATABASE_PASSWORD": shop.database.password,
                "COMMERCE_AUDIT_BUSY_PERCENT": "100",
            ], in: folder)
    }

    /// What our processes logged as an error: a 500, a broken rule that an audit amid the storm has
    /// found, a delivery given up. Only descriptors may run out.
    private func loggedErrors() throws -> [String] {
        let logs = try FileManager.default.contentsOfDirectory(atPath: folder)
            .filter { $0.hasSuffix(".log") && ($0.hasPrefix("serve") || $0.hasPrefix("work")) }
        return logs.map { contents(of: "\(folder)/\($0)").split(separator: "\n") }.joined()
            .filter {
                $0.contains(#""level":"error""#) && !$0.contains(#""message":"cannot accept""#)
            }
            .map { "log: \($0)" }
    }

    /// The events that buyers were told of. A line that a killed process left unfinished was not
    /// told.
    private static func told(in folder: String) -> Set<UUID> {
        struct Line: Decodable { let eventId: UUID }
        return Set(
            notificationLines(in: folder).compactMap { line in
                try? JSONDecoder().decode(Line.self, from: Data(line.utf8)).eventId
            })
    }
}
