import Glibc
public import MariaDB

/// Whether the books of the whole shop are right, while it goes on selling.
///
/// Goes through each table in slices of bounded length and rests in between, so that orders hardly
/// notice. Nothing is locked. Each SELECT sees one moment of all its tables: what commits meanwhile
/// is in it whole or not at all, and is never mistaken for something wrong. Most of a slice is found
/// right by comparing sums, and its rows are looked at only where these differ. Lines and movements,
/// and orders and debits, are added up over all slices, because no slice has both.
public struct Audit: Sendable {
    /// What has to hold. The raw value is the label of the metrics.
    public enum Rule: String, CaseIterable, Sendable {
        /// A user's points are what they opened with, and all payments since.
        case points
        /// A product's stock is what it opened with, and all movements since.
        case stock
        /// An order has lines, which make its total, and which have left the stock.
        case orderLines = "order_lines"
        /// An order took exactly its total from its user, once.
        case orderPayment = "order_payment"
        /// An order has one event of its payment, and a canceled one another of that.
        case orderEvent = "order_event"
        /// A canceled order gave back its total and its units once, and no other order did.
        case cancel
        /// No row is about something that is not there.
        case orphans
        /// A product's sales of 72 hours are those of its hours.
        case sales
    }

    /// One row that breaks a rule.
    public struct Violation: Sendable, Equatable {
        public let rule: Rule
        /// What it is about, such as `order`.
        public let noun: String
        public let number: Int64
        /// What is wrong with it, as the rest of a sentence.
        public let finding: String
    }

    /// What an audit has found.
    public struct Report: Sendable {
        /// The first of each rule, at most ``namedMax``.
        public internal(set) var named: [Violation] = []
        /// How many there are of each rule.
        public internal(set) var counts = Dictionary(
            uniqueKeysWithValues: Rule.allCases.map { ($0, 0) })
        /// The longest of all slices.
        public internal(set) var longestSlice = Duration.zero
        public internal(set) var slices = 0
        /// Whether it came to its end, and was not stopped before.
        public internal(set) var isWhole = false

        public var count: Int { counts.values.reduce(0, +) }
    }

    /// Violations of one rule that are named. Of more it is enough to know how many there are.
    public static let namedMax = 20
    /// What a slice is to take; its extent follows. Longer ones take less in all, since MariaDB makes
    /// each statement ready anew. But a processor that is busy for longer keeps whoever commits
    /// waiting: slices of 3 ms took four times as much from the orders beside them.
    private static let sliceTarget = Duration.milliseconds(1)
    /// Longer steps would keep whoever wants to stop waiting.
    private static let restStep = Duration.milliseconds(500)

    /// A pool that has the patience for a slice full of rows with a long history.
    public static func pool(for server: Server) -> Pool {
        var server = server
        server.readTimeoutSeconds = 60
        return Pool(server: server, size: 1, waitLimitMilliseconds: 0, name: "audit")
    }

    private let pool: Pool
    private let eventsKeptHours: Int
    private let busyPercent: Int

    /// - Parameters:
    ///   - pool: from ``pool(for:)``.
    ///   - eventsKeptHours: for which an order's events are there at least.
    ///   - busyPercent: of the time that the audit may work, 1 to 100; it rests for what is left.
    public init(pool: Pool, eventsKeptHours: Int, busyPercent: Int) {
        precondition((1...100).contains(busyPercent))
        self.pool = pool
        self.eventsKeptHours = eventsKeptHours
        self.busyPercent = busyPercent
    }

    /// Goes through all books once, as far as they went at its beginning.
    ///
    /// - Parameter isStopped: asked before each slice, and while it rests.
    /// - Returns: nil where another audit of this database is under way.
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func run(isStopped: () -> Bool = { false }) throws -> Report? {
        try pool.withConnection { connection in
            guard try Self.lock(connection) else { return nil }
            defer { _ = try? connection.execute("DO RELEASE_LOCK(\(Self.lockName))") }
            var (report, tallies) = (Report(), AuditTallies())
            let scope = AuditScope(
                keptHours: eventsKeptHours, latestOrder: try Self.latestOrder(on: connection))
            for check in AuditCheck.all {
                try carryOut(check, of: scope, on: connection, into: &report, &tallies, isStopped)
                if isStopped() { return report }
            }
            for tally in AuditTally.allCases where !tallies.isEven(tally) {
                let check = AuditCheck.behind(tally)
                try carryOut(check, of: scope, on: connection, into: &report, &tallies, isStopped)
                if isStopped() { return report }
            }
            report.isWhole = true
            return report
        }
    }

    /// Held by the session, and so gone with it.
    private static let lockName = "CONCAT('commerce.audit.', DATABASE())"

    private static func lock(_ connection: Connection) throws(DatabaseError) -> Bool {
        let taken = try connection.query("SELECT COALESCE(GET_LOCK(\(lockName), 0), 0)") {
            row throws(DatabaseError) in try row.integer(0)
        }
        return taken == [1]
    }

    private static func latestOrder(on connection: Connection) throws(DatabaseError) -> Int64 {
        let ids = try connection.query(AuditCheck.latestOrder) { row throws(DatabaseError) in
            try row.integer(0)
        }
        return ids.first ?? 0
    }

    private func carryOut(
        _ check: AuditCheck, of scope: AuditScope, on connection: Connection,
        into report: inout Report, _ tallies: inout AuditTallies, _ isStopped: () -> Bool
    ) throws(DatabaseError) {
        let bound = check.bound(in: scope)
        var (last, extent) = (check.beginning, check.extentMin)
        var next = try check.first(after: last, through: bound, on: connection)
        while last != bound, !isStopped() {
            let begin = ContinuousClock.now
            let cut = try check.cut(
                extent, after: last, from: next, through: bound, on: connection)
            let slice = AuditSlice(after: last, through: cut.end, bound: bound, scope: scope)
            let found = try check.findings(in: slice, adding: &tallies, on: connection)
            report.note(found.violations)
            (last, next) = (cut.end, found.next)
            let worked = begin.duration(to: .now)
            report.slices += 1
            report.longestSlice = max(report.longestSlice, worked)
            extent = max(check.extentMin, Self.extent(after: cut.extent, of: worked))
            rest(worked, isStopped)
        }
    }

    /// The extent of a slice that takes as long as it is to, at most twice as much as the one before.
    private static func extent(after last: Int, of worked: Duration) -> Int {
        Int(Double(last) * min(2, sliceTarget / worked))
    }

    private func rest(_ worked: Duration, _ isStopped: () -> Bool) {
        let end = ContinuousClock.now + worked * (100 - busyPercent) / busyPercent
        while case let left = ContinuousClock.now.duration(to: end), left > .zero, !isStopped() {
            usleep(useconds_t(min(left, Self.restStep) / .microseconds(1)))
        }
    }
}

extension Audit.Report {
    fileprivate mutating func note(_ found: [Audit.Violation]) {
        for violation in found {
            let count = counts[violation.rule, default: 0]
            if count < Audit.namedMax { named.append(violation) }
            counts[violation.rule] = count + 1
        }
    }
}
