import ArgumentParser
import MariaDB

/// Runs the same race with every strategy and holds the results side by side.
struct Locks: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Race for one product with every strategy, and audit each race.",
        discussion: """
            Three races, each order a full transaction: 100 buyers for 100 units (the customer's \
            test), 200 buyers for 100 units (who is sold what is not there?), and a long one. \
            Needs a shop with the rows that script/bench makes, and takes the settings of the \
            database and of memcached from the environment as `commerce serve` does.

            Ends with 1 when a strategy that must be exact was not, or an order failed.
            """)

    @Option(help: "Buyers at a time.") var clients = 32
    @Option(help: "Orders of the long race.") var orders = 20_000
    @Option(help: "Seconds after which a strategy begins no more orders or rounds.")
    var seconds = 15
    @Option(help: "Rounds of the short races; the median is shown.") var rounds = 5
    @Option(help: "Processes at a time, for the strategies that are also raced so.")
    var processes = 2
    @Option(help: "Only this strategy, and FOR UPDATE.") var only: StrategyKind?

    func validate() throws {
        guard clients >= processes, processes >= 2, clients <= 256 else {
            throw ValidationError("2 or more processes, each with a buyer; at most 256 buyers")
        }
        guard orders > 0, rounds > 0, (1...20).contains(seconds) else {
            throw ValidationError("an order, a round and 1 to 20 seconds are the least")
        }
    }

    func run() throws {
        let connection = try Connection(to: Servers().database)
        let races = [
            Race(title: "100 orders of 100", stock: 100, orders: 100, rounds: rounds),
            Race(title: "200 orders of 100", stock: 100, orders: 200, rounds: 1),
            Race(title: "A long run", stock: Int64(orders), orders: orders, rounds: 1),
        ]
        var isSound = true
        for race in races {
            print("\n\(race.title), \(clients) at a time\n")
            let results = try entries.map { entry in
                try race.run(entry, clients: clients, seconds: seconds, on: connection)
            }
            print(Report(results).text)
            isSound = isSound && results.allSatisfy(\.isSound)
        }
        if !isSound { throw ExitCode.failure }
    }

    /// Each strategy in one process; and in several the one that only seems to hold, and ours.
    private var entries: [Entry] {
        let kinds = StrategyKind.allCases.filter { kind in
            only == nil || kind == only || kind == .forUpdate
        }
        return kinds.flatMap { kind in
            switch kind {
            case .processLock, .groupCommit:
                [Entry(kind: kind, processes: 1), Entry(kind: kind, processes: processes)]
            case .noLock, .forUpdate, .spinLock, .waitingLock, .versionCheck:
                [Entry(kind: kind, processes: 1)]
            }
        }
    }
}

/// A strategy, and in how many processes at once it races.
struct Entry {
    let kind: StrategyKind
    let processes: Int

    var title: String { processes == 1 ? kind.title : "\(kind.title), \(processes) processes" }
}

/// So many units, and so many who want one.
struct Race {
    let title: String
    let stock: Int64
    let orders: Int
    let rounds: Int

    /// What came of it.
    struct Result {
        let entry: Entry
        /// Of the median round.
        let report: ContestReport
        /// Of every round.
        let audits: [Audit]
        let failures: [String: Int]

        var oversold: Int64 { audits.map(\.oversold).max() ?? 0 }
        var lost: Int64 { audits.map(\.lost).max() ?? 0 }
        var faults: [String] { audits.flatMap(\.faults) }

        /// Whether it is as it has to be. A strategy that is meant to be wrong may be.
        var isSound: Bool {
            let mayBeWrong = !entry.kind.isExact(processes: entry.processes)
            return faults.isEmpty && failures.isEmpty
                && (mayBeWrong || audits.allSatisfy(\.unitsAreExact))
        }
    }

    /// As many rounds as there is time for, at least one.
    func run(
        _ entry: Entry, clients: Int, seconds: Int, on connection: Connection
    ) throws -> Result {
        var reports: [ContestReport] = []
        var audits: [Audit] = []
        var secondsUsed = 0.0
        while reports.count < rounds && secondsUsed < Double(seconds) {
            let (report, audit) = try runOnce(
                entry, clients: clients, seconds: seconds, on: connection)
            reports.append(report)
            audits.append(audit)
            secondsUsed += report.milliseconds / 1_000
        }
        let failures = reports.map(\.failures).reduce(into: [:]) {
            $0.merge($1, uniquingKeysWith: +)
        }
        let median = reports.sorted { $0.milliseconds < $1.milliseconds }[reports.count / 2]
        return Result(entry: entry, report: median, audits: audits, failures: failures)
    }

    private func runOnce(
        _ entry: Entry, clients: Int, seconds: Int, on connection: Connection
    ) throws -> (ContestReport, Audit) {
        let count = entry.processes
        let contests = try (0..<count).map { number in
            try ContestProcess(
                entry.kind, clients: share(clients, number, of: count),
                orders: share(orders, number, of: count), seconds: seconds,
                firstTurn: number * Ground.users.count / count)
        }
        for contest in contests { try contest.awaitWarm() }
        let opening = try Opening(stock: stock, on: connection)
        for contest in contests { try contest.start() }
        var report = ContestReport()
        for contest in contests { report.add(try contest.report()) }
        return (report, try Audit(opening, report, on: connection))
    }

    private func share(_ total: Int, _ number: Int, of count: Int) -> Int {
        total * (number + 1) / count - total * number / count
    }
}
