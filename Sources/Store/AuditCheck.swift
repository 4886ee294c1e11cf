import MariaDB

/// Questions to the database that only what is wrong answers.
///
/// Asked for a slice at a time: for the rows whose key lies between two values. Where sums over the
/// slice can tell that nothing is wrong, they are looked at first, and the rows only if they differ.
struct AuditCheck {
    /// A SELECT of a number and a finding, for each row that is wrong.
    struct Question {
        let rule: Audit.Rule
        /// What the number names.
        let noun: String
        fileprivate let sql: SliceSQL

        init(_ rule: Audit.Rule, _ noun: String, _ sql: String) {
            self.rule = rule
            self.noun = noun
            self.sql = SliceSQL(sql)
        }
    }

    /// What slices are cut by.
    enum Key {
        case number, uuid

        /// Below all keys.
        var least: Value {
            switch self {
            case .number: .integer(.min)
            case .uuid: .text("00000000-0000-0000-0000-000000000000")
            }
        }

        /// Not below any key.
        var greatest: Value {
            switch self {
            case .number: .integer(.max)
            case .uuid: .text("ffffffff-ffff-ffff-ffff-ffffffffffff")
            }
        }

        /// A row's first column; nil where that is NULL.
        fileprivate func value(of row: borrowing Row) throws(DatabaseError) -> Value? {
            switch self {
            case .number: try row.optionalInteger(0).map(Value.integer)
            case .uuid: try row.optionalText(0).map(Value.text)
            }
        }
    }

    /// Rows of a slice at most.
    private static let rowsMax = 4_000
    /// Numbers of a slice at most, where they are far apart.
    private static let numbersMax = 1_000_000_000

    /// Where the slices are cut: rows in the order of an index.
    private let table: String
    private let key: String
    private let kind: Key
    /// Whether what came after the latest order of the audit's beginning is for another audit. A busy
    /// shop would keep this one from its end.
    private let endsAtLatestOrder: Bool
    /// Numbers, or rows, of a slice at least, however busy the machine is: an audit has to end.
    let extentMin: Int
    /// The key after a slice; then what the check's own SELECT has, in this order: 1 where no question
    /// has an answer in the slice (it may say 0 of what is right); how many cancels there are, or 1; a
    /// number and a print for each tally.
    private let sums: SliceSQL
    /// What the slices of several checks make together, and the sign of what this one adds.
    private let tallies: [(AuditTally, Int64)]
    private let questions: [Question]
    /// Asked of a slice with cancels, whatever its sums say.
    private let ofCancels: [Question]

    init(
        by key: String, _ kind: Key = .number, of table: String, endsAtLatestOrder: Bool = false,
        extentMin: Int = 100, unless sums: String, adding tallies: [(AuditTally, Int64)] = [],
        ofCancels: [Question] = [], _ questions: Question...
    ) {
        self.table = table
        self.key = key
        self.kind = kind
        self.endsAtLatestOrder = endsAtLatestOrder
        self.extentMin = extentMin
        let next = Self.least(key, of: table, after: ":through", through: ":bound")
        self.sums = SliceSQL(
            sums.replacing("SELECT", with: "SELECT (\(next)),", maxReplacements: 1))
        self.tallies = tallies
        self.questions = questions
        self.ofCancels = ofCancels
    }

    /// Where the first slice begins.
    var beginning: Value { kind.least }

    /// The last key to look at.
    func bound(in scope: AuditScope) -> Value {
        endsAtLatestOrder ? .integer(scope.latestOrder) : kind.greatest
    }

    /// The key of the first slice's first row; nil where there is none.
    func first(
        after last: Value, through bound: Value, on connection: Connection
    ) throws(DatabaseError) -> Value? {
        try connection.query(
            Self.least(key, of: table, after: "?", through: "?"), [last, bound]
        ) { row throws(DatabaseError) in try kind.value(of: row) }.first ?? nil
    }

    private static func least(
        _ key: String, of table: String, after last: String, through end: String
    ) -> String {
        "SELECT MIN(\(key)) FROM \(table) WHERE \(key) > \(last) AND \(key) <= \(end)"
    }

    /// Where a slice ends, and what it came to: numbers, or rows where the keys are none.
    ///
    /// Numbers mostly follow each other closely: so many of them have about as many rows, and no row
    /// has to be counted.
    ///
    /// - Parameter next: the key of its first row; nil where the rest has none, which is then one slice.
    func cut(
        _ extent: Int, after last: Value, from next: Value?, through bound: Value,
        on connection: Connection
    ) throws(DatabaseError) -> (end: Value, extent: Int) {
        guard let next else { return (bound, extent) }
        guard case .integer(let first) = next, case .integer(let limit) = bound else {
            let rows = min(extent, Self.rowsMax)
            return (try row(rows, after: last, through: bound, on: connection) ?? bound, rows)
        }
        let numbers = min(extent, Self.numbersMax)
        let (sum, isTooLarge) = first.addingReportingOverflow(Int64(numbers) - 1)
        let end = Value.integer(isTooLarge ? limit : min(sum, limit))
        guard numbers > Self.rowsMax,
            case .integer(let full) = try row(
                Self.rowsMax, after: last, through: end, on: connection)
        else { return (end, numbers) }
        return (.integer(full), Int(full - first) + 1)
    }

    /// The key of the so-manieth row; nil where there are fewer.
    private func row(
        _ count: Int, after last: Value, through end: Value, on connection: Connection
    ) throws(DatabaseError) -> Value? {
        let isOpen = end == kind.greatest
        return try connection.query(
            """
            SELECT \(key) FROM \(table) WHERE \(key) > ? \(isOpen ? "" : "AND \(key) <= ?")
            ORDER BY \(key) LIMIT 1 OFFSET ?
            """, [last] + (isOpen ? [] : [end]) + [.integer(Int64(count - 1))]
        ) { row throws(DatabaseError) in try kind.value(of: row) }.first ?? nil
    }

    /// Everything wrong in a slice, and the key of the row after it.
    ///
    /// - Parameter sheet: gets what the slice adds to the tallies.
    func findings(
        in slice: AuditSlice, adding sheet: inout AuditTallies, on connection: Connection
    ) throws(DatabaseError) -> (violations: [Audit.Violation], next: Value?) {
        let found = try connection.query(sums.text, sums.values(for: slice)) {
            row throws(DatabaseError) in
            var parts: [AuditTallies.Part] = []
            for (index, (tally, sign)) in tallies.enumerated() {
                parts.append(
                    AuditTallies.Part(
                        tally: tally, number: sign * (try row.integer(2 * index + 3)),
                        print: try row.integer(2 * index + 4)))
            }
            return (
                next: try kind.value(of: row), isRight: try row.integer(1) == 1,
                hasCancels: try row.integer(2) > 0, parts: parts
            )
        }
        guard let sums = found.first else { preconditionFailure("Sums always make a row.") }
        for part in sums.parts { sheet.add(part) }
        let asked = (sums.hasCancels ? ofCancels : []) + (sums.isRight ? [] : questions)
        var violations: [Audit.Violation] = []
        for question in asked {
            violations += try connection.query(
                question.sql.text, question.sql.values(for: slice)
            ) { row throws(DatabaseError) in
                Audit.Violation(
                    rule: question.rule, noun: question.noun, number: try row.integer(0),
                    finding: try row.text(1))
            }
        }
        return (violations, sums.next)
    }
}

/// What two tables have to say alike of all orders of an audit, and whose slices cannot be held
/// against each other, because one is cut by orders and the other by something else. What is told
/// here of an order never changes once it is stored.
enum AuditTally: CaseIterable {
    /// The lines of orders, and the movements out of the stock.
    case units
    /// The orders, and their debits.
    case debits
}

/// What has been added to each tally so far.
struct AuditTallies {
    struct Part {
        let tally: AuditTally
        let number: Int64
        let print: Int64
    }

    private var sums: [AuditTally: (number: Int64, print: Int64)] = [:]

    mutating func add(_ part: Part) {
        let sum = sums[part.tally, default: (0, 0)]
        sums[part.tally] = (sum.number &+ part.number, sum.print ^ part.print)
    }

    /// Whether both tables have said the same.
    func isEven(_ tally: AuditTally) -> Bool { sums[tally, default: (0, 0)] == (0, 0) }
}

/// What an audit looks at.
struct AuditScope {
    /// For how long events are kept.
    let keptHours: Int
    /// Of the audit's beginning.
    let latestOrder: Int64
}

/// The keys from one to another.
struct AuditSlice {
    let after: Value
    let through: Value
    /// Of the whole check.
    let bound: Value
    let scope: AuditScope
}

/// A statement about a slice: `:after` and `:through` are its ends, `:bound` is the check's, `:latest`
/// is the latest order, and `:hours` is for how long events are kept.
private struct SliceSQL {
    let text: String
    private let names: [Substring]

    init(_ sql: String) {
        text = sql.replacing(/:(after|through|bound|latest|hours)\b/, with: "?")
        names = sql.matches(of: /:(after|through|bound|latest|hours)\b/).map(\.1)
    }

    func values(for slice: AuditSlice) -> [Value] {
        names.map { name in
            switch name {
            case "after": slice.after
            case "through": slice.through
            case "bound": slice.bound
            case "latest": .integer(slice.scope.latestOrder)
            default: .integer(Int64(slice.scope.keptHours))
            }
        }
    }
}
