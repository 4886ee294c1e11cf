public import MariaDB

/// Which copy of the shop's data this is, and whether it is the one that tells others of its events.
///
/// The table `shop` has one row, whose `row_start` the server sets whenever the row is written. So a
/// database that was loaded from a dump has a *generation* of its own, whatever the dump says, while
/// replicas, cluster nodes and a server that was restarted or renamed have that of the original.
/// `live_generation` is the generation that an operator, or the first migration, has called the shop.
/// Where the two differ the data are a copy: orders go on, and nobody is told of them.
public struct ShopState: Sendable, Equatable {
    /// Microseconds since 1970 of when these data were loaded.
    public let generation: Int64
    /// Whether events are delivered.
    public let isLive: Bool

    /// Of the row, as SQL.
    static let isLiveCondition = "live_generation <=> row_start"

    /// For `WHERE` of a statement on other tables: nothing is found in a copy.
    static let shopIsLive = "EXISTS (SELECT 1 FROM shop WHERE \(isLiveCondition))"

    /// There is no row, which the migration has made.
    public struct Missing: Error, CustomStringConvertible {
        public let description = "the table shop has no row"
    }

    /// - Throws: ``Missing``; `DatabaseError` when the database cannot answer.
    public static func read(on connection: Connection) throws -> ShopState {
        let states = try connection.query(
            """
            SELECT CAST(UNIX_TIMESTAMP(row_start) * 1000000 AS SIGNED), \(isLiveCondition) FROM shop
            """
        ) { row throws(DatabaseError) in
            ShopState(generation: try row.integer(0), isLive: try row.integer(1) != 0)
        }
        guard let state = states.first else { throw Missing() }
        return state
    }

    /// Makes who comes next wait until the transaction has ended.
    static func lock(on connection: Connection) throws(DatabaseError) {
        try connection.execute("SELECT id FROM shop FOR UPDATE")
    }

    /// Says that these data are the shop, whose events are delivered; or that they are a copy.
    ///
    /// - Returns: whether that is a change.
    /// - Throws: ``Missing``; `DatabaseError` or `CommitOutcomeUnknown` when the database cannot
    ///   answer.
    public static func declare(isLive: Bool, in pool: Pool) throws -> Bool {
        try pool.withConnection { connection in
            try connection.transaction { connection in
                try lock(on: connection)
                let before = try read(on: connection)
                try connection.execute(
                    "UPDATE shop SET live_generation = \(isLive ? "row_start" : "NULL")")
                return before.isLive != isLive
            }
        }
    }
}
