/// The prepared statements of one connection, by their SQL text.
struct StatementCache {
    /// Statements a connection keeps. The service has far fewer; the bound is for text that
    /// varies, and the server's `max_prepared_stmt_count` (16,382) is shared by all connections.
    static let countMax = 256

    private var statements: [String: Statement] = [:]
    private var uses: UInt64 = 0

    var count: Int { statements.count }

    /// The statement, if it is prepared.
    mutating func find(_ sql: String) -> Statement? {
        guard let statement = statements[sql] else { return nil }
        uses += 1
        statement.lastUse = uses
        return statement
    }

    /// Adds a statement, in place of the least recently used one when all places are taken.
    mutating func insert(_ statement: Statement, for sql: String) {
        if statements.count >= Self.countMax,
            let oldest = statements.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            statements[oldest.key] = nil
        }
        uses += 1
        statement.lastUse = uses
        statements[sql] = statement
    }

    /// Closes a statement that went wrong: the next use prepares it anew.
    mutating func remove(_ sql: String) { statements[sql] = nil }
}
