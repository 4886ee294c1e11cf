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
        guard isDemo else { return }
        let load = #"mariadb "${@:2}" <"$1""#
        try succeed(
            ["bash", "-c", load, "bash", TestRun.repository + "/sql/demo.sql"]
                + Self.options() + [name], in: folder)
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

    func connect() throws -> Connection { try Connection(to: owner) }

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
