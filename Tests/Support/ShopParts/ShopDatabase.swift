import Glibc
import MariaDB

/// A database that the project's own scripts have made.
package final class ShopDatabase: Sendable {
    package let name: String
    /// The service's user, who is of this database only.
    package let user: String
    package let password: String
    package let owner: Server
    private let isDropped: Bool

    /// A database in the run's MariaDB, dropped when the test lets go of it.
    ///
    /// - Parameters:
    ///   - isDemo: whether the demo data is loaded.
    ///   - folder: for the scripts' output.
    package convenience init(isDemo: Bool = true, in folder: String) throws {
        try self.init(
            named: TestRun.freshName("shop_test_"), at: TestRun.mariadbSocket.get(),
            isDropped: true, isDemo: isDemo, in: folder)
    }

    /// - Parameters:
    ///   - socket: MariaDB's.
    ///   - isDropped: whether it goes when nobody holds it any more.
    package init(
        named name: String, at socket: String, isDropped: Bool, isDemo: Bool = true,
        in folder: String
    ) throws {
        self.name = name
        self.isDropped = isDropped
        user = name
        password = TestRun.freshName("secret'\\") + "한"
        owner = TestRun.owner(of: name, at: socket)
        try run("sql/migrate.sh", in: folder)
        try giveRights(in: folder)
        if isDemo { try load("sql/demo.sql", in: folder) }
    }

    deinit {
        var server = owner
        server.database = nil
        guard isDropped, let connection = try? Connection(to: server) else { return }
        _ = try? connection.execute("DROP DATABASE IF EXISTS \(name)")
        _ = try? connection.execute("DROP USER IF EXISTS \(user)@localhost")
    }

    /// What the mariadb client needs to be the owner.
    package static func options(of socket: String) -> [String] {
        ["--no-defaults", "--socket=\(socket)", "--user=\(TestRun.systemUser)"]
    }

    private var options: [String] {
        guard case .socket(let path) = owner.address else { return [] }
        return Self.options(of: path)
    }

    /// Runs a file of SQL as its owner.
    package func load(_ file: String, in folder: String) throws {
        let load = #"mariadb "${@:2}" <"$1""#
        try succeed(
            ["bash", "-c", load, "bash", "\(TestRun.repository)/\(file)"]
                + options + [name], in: folder)
    }

    /// Gives the service's user its password and exactly its rights, as an operator does.
    package func giveRights(in folder: String) throws {
        try run("sql/service-user.sh", in: folder)
    }

    package func connect() throws -> Connection { try Connection(to: owner) }

    /// Waits until a session of the service waits for a locked row: until it has been at one
    /// statement for far longer than any takes. (InnoDB's own table of waits is no help: it stays
    /// as it was while somebody, such as another test, reads it more often than every 100 ms.)
    package func awaitBlockedSession() throws {
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
            ["\(TestRun.repository)/\(script)"] + options + [name],
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
    package func number(_ sql: String, _ values: [Value] = []) throws -> Int64 {
        let rows = try query(sql, values) { row throws(DatabaseError) in try row.integer(0) }
        guard rows.count == 1 else { throw Failure("\(rows.count) rows: \(sql)") }
        return rows[0]
    }
}
