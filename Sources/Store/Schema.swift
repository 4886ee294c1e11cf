public import MariaDB

/// What the code expects of the database's tables.
public enum Schema {
    /// The number of the newest file in `sql/migrations`.
    public static let number: Int64 = 12

    /// The number of the newest migration that the database has; 0 when it has none.
    public static func applied(on connection: Connection) throws -> Int64 {
        let tables = try connection.query(
            """
            SELECT COUNT(*) FROM information_schema.tables
            WHERE table_schema = DATABASE() AND table_name = 'schema_migrations'
            """
        ) { row throws(DatabaseError) in try row.integer(0) }
        guard tables == [1] else { return 0 }
        let newest = try connection.query(
            "SELECT COALESCE(MAX(number), 0) FROM schema_migrations"
        ) { row throws(DatabaseError) in try row.integer(0) }
        return newest[0]
    }
}
