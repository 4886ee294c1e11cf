import Glibc
import MariaDB

/// A database that the project's own scripts have made, dropped when the test lets go of it.
final class ShopDatabase: Sendable {
    let name: String
    /// The service's user, who is of this database only.
    let user: String
    let password: String
    let owner: Server

    /// - Parameters:
    ///   - isDemo: whether the demo data is loaded.
    ///   - folder: for the scripts' output.
    init(isDemo: Bool = true, in folder: String) throws {
        name = TestRun.freshName("shop_test_")
        user = name
        password = TestRun.freshName("secret'\\") + "한"
        owner = try TestRun.owner(of: name)
        try run("sql/migrate.sh", in: folder)
        try run("sql/service-user.sh", in: folder)
        if isDemo { try load("sql/demo.sql", in: folder) }
    }

    deinit {
        guard let connection = try? Connection(to: TestRun.owner(of: nil)) else { return }
        _ = try? connection.execute("DROP DATABASE IF EXISTS \(name)")
        _ = try? connection.execute("DROP USER IF EXISTS \(user)@localhost")
    }

    /// What the mariadb client needs to be the owner.
    static func options() throws -> [String] {
        [
            "--no-defaults", "--socket=\(try TestRun.mariadbSocket.get())",
            "--user=\(TestRun.systemUser)",
        ]
    }

    /// Runs a file of SQL as its owner.
    func load(_ file: String, in folder: String) throws {
        let load = #"mariadb "${@:2}" <"$1""#
        try succeed(
            ["bash", "-c", load, "bash", "\(TestRun.repository)/\(file)"]
                + Self.options() + [name], in: folder)
    }

    func connect() throws -> Connection { try Connection(to: owner) }

    /// Waits until a session of the service waits for a locked row: until it has been at one
    /// statement for far longer than any takes. (InnoDB's own table of waits is no help: it stays
    /// as it was while somebody, such as another test, reads it more often than every 100 ms.)
    func awaitBlockedSession() throws {
        let connection = try connect()
        let found = try eventually {
            let blocked = try connection.number(
                """
                SELECT COUNT(*) FROM information_schema.processlist
                WHERE user = '\(user)' AND command <> 'Sleep' AND time_ms > 100
                AND COALESCE(info, '') NOT LIKE 'COMMIT%'
                """)
            return blocked > 0 ? true : nil
        }
        guard found != nil else { throw Failure("nobody waits for a locked row") }
    }

    private func run(_ script: String, in folder: String) throws {
        try succeed(
            ["\(TestRun.repository)/\(script)"] + Self.options() + [name],
            settings: ["COMMERCE_DATABASE_USER": user, "COMMERCE_DATABASE_PASSWORD": password],
            in: folder)
    }

    private func succeed(
        _ arguments: [String], settings: [String: String] = [:], in folder: String
    ) throws {
        let finished = try Finished(arguments, settings: settings, in: folder)
        guard finished.status == 0 else {
            throw Failure("\(arguments[0]) failed: \(finished.errors)")
        }
    }
}

extension Connection {
    /// The only number of a result of one row.
    func number(_ sql: String, _ values: [Value] = []) throws -> Int64 {
        let rows = try query(sql, values) { row throws(DatabaseError) in try row.integer(0) }
        guard rows.count == 1 else { throw Failure("\(rows.count) rows: \(sql)") }
        return rows[0]
    }
}
