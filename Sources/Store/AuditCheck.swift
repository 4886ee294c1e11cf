import MariaDB

/// Questions to the database that only what is wrong answers.
///
/// Asked for a slice at a time: for the rows whose key lies between two numbers. Where sums over the
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

    /// Where the slices are cut: rows in the order of an index.
    private let table: String
    private let key: String
    /// A SELECT of the greatest key that there is; nil where keys above all others are looked at, too.
    private let greatest: String?
    /// A SELECT of 1 where no question has an answer in the slice. It may say 0 of what is right.
    private let agreement: SliceSQL?
    private let questions: [Question]
    /// One that the agreement says nothing about.
    private let unconditional: Question?

    init(
        by key: String, of table: String, upTo greatest: String? = nil,
        always unconditional: Question? = nil, unless agreement: String? = nil,
        _ questions: Question...
    ) {
        self.table = table
        self.key = key
        self.greatest = greatest
        self.agreement = agreement.map { SliceSQL($0) }
        self.questions = questions
        self.unconditional = unconditional
    }

    /// The last key to look at. What has greater ones later is for another audit: a busy shop would
    /// keep this one from its end.
    func bound(on connection: Connection) throws(DatabaseError) -> Int64 {
        guard let greatest else { return .max }
        let keys = try connection.query(greatest) { row throws(DatabaseError) in
            try row.integer(0)
        }
        return keys.first ?? .max
    }

    /// The key that ends a slice of so many rows; the greatest number where there are fewer.
    func end(
        of count: Int, after last: Int64, on connection: Connection
    ) throws(DatabaseError) -> Int64 {
        let keys = try connection.query(
            "SELECT \(key) FROM \(table) WHERE \(key) > ? ORDER BY \(key) LIMIT 1 OFFSET ?",
            [.integer(last), .integer(Int64(count - 1))]
        ) { row throws(DatabaseError) in try row.integer(0) }
        return keys.first ?? .max
    }

    /// Everything wrong in a slice.
    func violations(
        in slice: AuditSlice, on connection: Connection
    ) throws(DatabaseError) -> [Audit.Violation] {
        var asked = unconditional.map { [$0] } ?? []
        if try !isRight(slice, on: connection) { asked += questions }
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

    /// Whether the sums of a slice agree; false where there are none.
    private func isRight(
        _ slice: AuditSlice, on connection: Connection
    ) throws(DatabaseError) -> Bool {
        guard let agreement else { return false }
        let answer = try connection.query(agreement.text, agreement.values(for: slice)) {
            row throws(DatabaseError) in try row.integer(0)
        }
        return answer == [1]
    }
}

/// The keys from one to another, and for how long events are kept.
struct AuditSlice {
    let after: Int64
    let through: Int64
    let keptHours: Int
}

/// A statement about a slice: `:after` and `:through` are its bounds, and `:hours` is for how long
/// events are kept.
private struct SliceSQL {
    let text: String
    private let names: [Substring]

    init(_ sql: String) {
        text = sql.replacing(/:(after|through|hours)\b/, with: "?")
        names = sql.matches(of: /:(after|through|hours)\b/).map(\.1)
    }

    func values(for slice: AuditSlice) -> [Value] {
        names.map { name in
            switch name {
            case "after": .integer(slice.after)
            case "through": .integer(slice.through)
            default: .integer(Int64(slice.keptHours))
            }
        }
    }
}
