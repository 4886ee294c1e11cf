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

        fileprivate func value(of row: borrowing Row) throws(DatabaseError) -> Value {
            switch self {
            case .number: .integer(try row.integer(0))
            case .uuid: .text(try row.text(0))
            }
        }
    }

    /// Where the slices are cut: rows in the order of an index.
    private let table: String
    private let key: String
    private let kind: Key
    /// Whether what came after the latest order of the audit's beginning is for another audit. A busy
    /// shop would keep this one from its end.
    private let endsAtLatestOrder: Bool
    /// A SELECT, in this order, of 1 where no question has an answer in the slice (it may say 0 of
    /// what is right); of how many cancels there are; of a number and a print for each tally.
    private let sums: SliceSQL
    /// What the slices of several checks make together, and the sign of what this one adds.
    private let tallies: [(AuditTally, Int64)]
    private let questions: [Question]
    /// Asked of a slice with cancels, whatever its sums say.
    private let ofCancels: [Question]

    init(
        by key: String, _ kind: Key = .number, of table: String, endsAtLatestOrder: Bool = false,
        unless sums: String, adding tallies: [(AuditTally, Int64)] = [],
        ofCancels: [Question] = [], _ questions: Question...
    ) {
        self.table = table
        self.key = key
        self.kind = kind
        self.endsAtLatestOrder = endsAtLatestOrder
        self.sums = SliceSQL(sums)
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

    /// The key that ends a slice of so many rows; the bound where there are fewer.
    func end(
        of count: Int, after last: Value, through bound: Value, on connection: Connection
    ) throws(DatabaseError) -> Value {
        let keys = try connection.query(
            """
            SELECT \(key) FROM \(table) WHERE \(key) > ? AND \(key) <= ?
            ORDER BY \(key) LIMIT 1 OFFSET ?
            """, [last, bound, .integer(Int64(count - 1))]
        ) { row throws(DatabaseError) in try kind.value(of: row) }
        return keys.first ?? bound
    }

    /// Everything wrong in a slice.
    ///
    /// - Parameter sheet: gets what the slice adds to the tallies.
    func violations(
        in slice: AuditSlice, adding sheet: inout AuditTallies, on connection: Connection
    ) throws(DatabaseError) -> [Audit.Violation] {
        let found = try connection.query(sums.text, sums.values(for: slice)) {
            row throws(DatabaseError) in
            var parts: [AuditTallies.Part] = []
            for (index, (tally, sign)) in tallies.enumerated() {
                parts.append(
                    AuditTallies.Part(
                        tally: tally, number: sign * (try row.integer(2 * index + 2)),
                        print: try row.integer(2 * index + 3)))
            }
            return (
                isRight: try row.integer(0) == 1, hasCancels: try row.integer(1) > 0, parts: parts
            )
        }
        guard let sums = found.first else { return [] }
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
        return violations
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
    let scope: AuditScope
}

/// A statement about a slice: `:after` and `:through` are its bounds, `:latest` is the latest order,
/// and `:hours` is for how long events are kept.
private struct SliceSQL {
    let text: String
    private let names: [Substring]

    init(_ sql: String) {
        text = sql.replacing(/:(after|through|latest|hours)\b/, with: "?")
        names = sql.matches(of: /:(after|through|latest|hours)\b/).map(\.1)
    }

    func values(for slice: AuditSlice) -> [Value] {
        names.map { name in
            switch name {
            case "after": slice.after
            case "through": slice.through
            case "latest": .integer(slice.scope.latestOrder)
            default: .integer(Int64(slice.scope.keptHours))
            }
        }
    }
}
