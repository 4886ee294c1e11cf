public import Commerce
import MariaDB

/// Reads of the users and their points. Always from the database: a balance is never cached.
public struct Users: Sendable {
    private let pool: Pool
    private let group: ReadGroup<UserID, User>

    init(pool: Pool) {
        self.pool = pool
        group = ReadGroup { ids in
            let users = try pool.withConnection { connection in
                try Self.read(ids, on: connection)
            }
            return Dictionary(users.map { ($0.id, $0) }) { first, _ in first }
        }
    }

    /// Reads a user, or nil when there is none, and tells it on some reader's thread.
    ///
    /// Fails with `DatabaseError` when the database cannot answer.
    public func user(
        _ id: UserID, then: @escaping @Sendable (Result<User?, any Error>) -> Void
    ) {
        group.read(id, then: then)
    }

    /// Whether there is such a user. Blocks.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func contains(_ id: UserID) throws -> Bool {
        try !pool.withConnection { connection in try Self.read([id], on: connection) }.isEmpty
    }

    static func read(
        _ ids: [UserID], on connection: Connection
    ) throws(DatabaseError) -> [User] {
        try readTimed(ids, on: connection, locking: false).users
    }

    /// Reads users and the database's time, if there is a user: a question of its own for the time
    /// would cost a round trip more.
    ///
    /// - Parameter locking: whether the rows are locked until the transaction ends.
    static func readTimed(
        _ ids: [UserID], on connection: Connection, locking: Bool
    ) throws(DatabaseError) -> (users: [User], time: Moment?) {
        var time: Moment?
        let users = try Batch.asking(about: ids.map(\.value)) { places, ids throws(DatabaseError) in
            try connection.query(
                """
                SELECT id, name, hp_no, point, version, UTC_TIMESTAMP(6) FROM users
                WHERE id IN (\(places)) AND NOT is_delete
                ORDER BY id\(locking ? " FOR UPDATE" : "")
                """, ids
            ) { row throws(DatabaseError) in
                if time == nil { time = Moment(try row.text(5)) }
                return User(
                    id: UserID(try row.integer(0)), name: try row.text(1),
                    phone: try row.text(2), points: Won(try row.integer(3)),
                    version: try row.version(4))
            }
        }
        return (users, time)
    }
}
