public import Commerce
import MariaDB

/// Reads of the users and their points. Always from the database: a balance is never cached.
public struct Users: Sendable {
    let pool: Pool

    /// - Returns: nil when there is no such user.
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func user(_ id: UserID) throws -> User? {
        try pool.withConnection { connection in
            try Self.read([id], on: connection).first
        }
    }

    /// - Parameter locking: whether the rows are locked until the transaction ends.
    static func read(
        _ ids: [UserID], on connection: Connection, locking: Bool = false
    ) throws(DatabaseError) -> [User] {
        try connection.query(
            """
            SELECT id, name, hp_no, point, version FROM users
            WHERE id IN (\(Batch.placeholders(ids.count))) AND NOT is_delete
            ORDER BY id\(locking ? " FOR UPDATE" : "")
            """, Batch.padded(ids.map(\.number))
        ) { row throws(DatabaseError) in
            User(
                id: UserID(try row.integer(0)), name: try row.text(1), phone: try row.text(2),
                points: Won(try row.integer(3)), version: try row.integer(4))
        }
    }
}
