/// What a server says about itself, checked against what the service counts on.
public struct ServerCheck: Sendable, Equatable {
    /// The server's version, such as `10.11.6-MariaDB`.
    public let version: String
    /// What makes promises weaker than they look; one sentence each, for the operator.
    public let warnings: [String]

    /// The oldest version whose SQL suffices: CRC32 that goes on from another came with 10.8.
    static let oldestVersion = [10, 8]

    /// Asks a server. Throws an error of kind `other` when it is not MariaDB or too old to serve,
    /// and whatever the query throws.
    public static func inspect(_ connection: Connection) throws(DatabaseError) -> ServerCheck {
        let settings = try connection.query(
            """
            SELECT VERSION(), @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.log_bin,
                @@GLOBAL.sync_binlog, @@GLOBAL.read_only
            """
        ) { row throws(DatabaseError) in
            Settings(
                version: try row.text(0), flushLogAtCommit: try row.integer(1),
                hasBinaryLog: try row.integer(2) != 0, syncBinaryLog: try row.integer(3),
                isReadOnly: try row.integer(4) != 0)
        }
        guard let settings = settings.first else { throw DatabaseError(.other, "No settings.") }
        return try judge(settings)
    }

    /// The part of a server's settings that durability hangs on.
    struct Settings {
        var version: String
        var flushLogAtCommit: Int64
        var hasBinaryLog: Bool
        var syncBinaryLog: Int64
        var isReadOnly: Bool
    }

    /// Decides without asking anybody.
    static func judge(_ settings: Settings) throws(DatabaseError) -> ServerCheck {
        let version = settings.version
        let numbers = version.split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap {
            Int($0)
        }
        guard version.contains("MariaDB"), !numbers.lexicographicallyPrecedes(oldestVersion) else {
            throw DatabaseError(.other, "This needs MariaDB 10.8 or later; here is \(version).")
        }
        return ServerCheck(version: version, warnings: warnings(settings))
    }

    private static func warnings(_ settings: Settings) -> [String] {
        var warnings: [String] = []
        if settings.flushLogAtCommit != 1 {
            warnings.append(
                """
                innodb_flush_log_at_trx_commit is \(settings.flushLogAtCommit), not 1: a power \
                failure loses orders that were confirmed.
                """)
        }
        if settings.hasBinaryLog && settings.syncBinaryLog != 1 {
            warnings.append(
                """
                sync_binlog is \(settings.syncBinaryLog), not 1: a power failure can lose \
                confirmed orders or part the replicas from this server.
                """)
        }
        if settings.isReadOnly {
            warnings.append("The server is read-only: every order and charge will fail.")
        }
        return warnings
    }
}
