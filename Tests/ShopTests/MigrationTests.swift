import FoundationEssentials
import MariaDB
import Testing

@Suite struct Migrations {
    /// A copy of `sql/`, which a test may change, and a database that is not there yet.
    private final class Site: Sendable {
        let database = TestRun.freshName("shop_test_")
        private let scratch: ScratchFolder
        var folder: String { scratch.path }

        init() throws {
            scratch = try ScratchFolder()
            try FileManager.default.copyItem(
                atPath: TestRun.repository + "/sql", toPath: scratch.path + "/sql")
        }

        deinit {
            let connection = try? Connection(to: TestRun.owner(of: nil))
            _ = try? connection?.execute("DROP DATABASE IF EXISTS \(database)")
        }

        /// The migrations' names, in order.
        var names: [String] {
            get throws {
                try FileManager.default.contentsOfDirectory(atPath: folder + "/sql/migrations")
                    .sorted().map { $0.replacing(".sql", with: "") }
            }
        }

        func path(_ name: String) -> String { "\(folder)/sql/migrations/\(name).sql" }

        func write(_ name: String, _ sql: String) throws {
            try Data(sql.utf8).write(to: URL(filePath: path(name)))
        }

        func migrate(_ options: String...) throws -> Finished {
            try Finished(
                ["\(folder)/sql/migrate.sh"] + options
                    + ShopDatabase.options(of: TestRun.mariadbSocket.get()) + [database],
                in: folder)
        }

        func tables() throws -> Int64 {
            try Connection(to: TestRun.owner(of: nil)).number(
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '\(database)'")
        }

        func applied() throws -> Int64 {
            try Connection(to: TestRun.owner(of: database)).number(
                "SELECT COUNT(*) FROM schema_migrations")
        }
    }

    private let site: Site

    init() throws { site = try Site() }

    @Test func `a fresh database gets all and a second run has nothing to do`() throws {
        let count = try site.names.count
        let first = try site.migrate()
        #expect(first.status == 0, "\(first.errors)")
        #expect(first.output.contains("\(site.database): applied \(count) of \(count) migrations"))
        let second = try site.migrate()
        #expect(second.status == 0)
        #expect(second.output == "\(site.database): up to date (\(count) migrations)\n")
        #expect(try site.applied() == Int64(count))
    }

    @Test func `a dry run names all and changes nothing`() throws {
        let run = try site.migrate("--dry-run")
        #expect(run.status == 0)
        let expected =
            ["would create the database \(site.database)"]
            + (try site.names.map { "would apply \($0)" })
        #expect(run.output.split(separator: "\n").map(String.init) == expected)
        #expect(try site.tables() == 0)
        #expect(
            try Connection(to: TestRun.owner(of: nil)).number(
                """
                SELECT COUNT(*) FROM information_schema.schemata
                WHERE schema_name = '\(site.database)'
                """) == 0)
    }

    @Test func `status lists what is applied, pending, changed and missing`() throws {
        let names = try site.names
        let before = try site.migrate("--status")
        #expect(before.status == 0)
        #expect(before.output.split(separator: "\n").allSatisfy { $0.hasPrefix("pending") })
        #expect(try site.tables() == 0)

        #expect(try site.migrate().status == 0)
        let after = try site.migrate("--status")
        #expect(after.status == 0)
        let lines = after.output.split(separator: "\n")
        #expect(lines.count == names.count)
        for (line, name) in zip(lines, names) {
            #expect(line.hasPrefix("applied ") && line.hasSuffix(name))
        }

        try site.write(names[0], "SELECT 1;")
        try FileManager.default.removeItem(atPath: site.path(names[names.count - 1]))
        let wrong = try site.migrate("--status")
        #expect(wrong.status == 1)
        #expect(wrong.output.hasPrefix("changed "))
        #expect(wrong.output.split(separator: "\n").last?.hasPrefix("missing ") == true)
        #expect(wrong.errors.split(separator: "\n").count == 1)
    }

    @Test func `a file that changed after it was applied is refused`() throws {
        let names = try site.names
        #expect(try site.migrate().status == 0)
        let sql = contents(of: site.path(names[1]))
        try site.write(names[1], sql + "-- One more word.\n")
        let run = try site.migrate()
        #expect(run.status == 1)
        #expect(run.errors.contains("\(names[1]) was applied at"))
        #expect(run.errors.contains("changed since"))
        #expect(run.errors.split(separator: "\n").count == 1)
    }

    @Test func `a missing or doubled number is refused before anything is applied`() throws {
        let names = try site.names
        try site.write("0002_doubled", "SELECT 1;")
        let doubled = try site.migrate()
        #expect(doubled.status == 1 && doubled.errors.contains("0002 is doubled"))
        try FileManager.default.removeItem(atPath: site.path("0002_doubled"))
        try FileManager.default.removeItem(atPath: site.path(names[1]))
        let missing = try site.migrate()
        #expect(missing.status == 1 && missing.errors.contains("number 0002 is missing"))
        #expect(try site.tables() == 0)
    }

    @Test func `two runs at once apply everything once`() throws {
        let site = site
        let runs = try inParallel(4, threads: 4, { 0 }, { _, _ in try site.migrate() })
        for run in runs { #expect(run.status == 0, "\(run.errors)") }
        #expect(runs.count { $0.output.contains(": applied ") } == 1)
        #expect(runs.count { $0.output.contains(": up to date") } == 3)
        #expect(try site.applied() == Int64(try site.names.count))
    }

    @Test func `a migration that fails is run again, and what came before is not`() throws {
        let count = try site.names.count
        let next = "\("000\(count + 1)".suffix(4))_next"
        try site.write(next, "CREATE TABLE IF NOT EXISTS next (id INT);\nSELECT nonsense;\n")
        let failed = try site.migrate()
        #expect(failed.status == 1)
        #expect(try site.applied() == Int64(count))
        try site.write(next, "CREATE TABLE IF NOT EXISTS next (id INT);\n")
        let mended = try site.migrate()
        #expect(mended.output.contains("applied 1 of \(count + 1) migrations"))
        #expect(try site.applied() == Int64(count + 1))
    }

    @Test func `the service starts on the newest schema and on no older one`() throws {
        let folder = site.folder
        let database = try ShopDatabase(in: folder)
        let settings = [
            "COMMERCE_SOCKET": "\(folder)/c.sock",
            "COMMERCE_DATABASE_SOCKET": try TestRun.mariadbSocket.get(),
            "COMMERCE_DATABASE_NAME": database.name, "COMMERCE_DATABASE_USER": database.user,
            "COMMERCE_DATABASE_PASSWORD": database.password,
        ]
        // On the newest every other test starts. Without its record it counts as older.
        let newest = Int64(try site.names.count)
        try database.connect().execute("DELETE FROM schema_migrations WHERE number = \(newest)")
        let run = try Finished([TestRun.commerce, "serve"], settings: settings, in: folder)
        #expect(run.status == 78)
        #expect(
            run.errors == "commerce: the database has migration \(newest - 1) of \(newest): "
                + "run sql/migrate.sh\n")
        #expect(run.output == "")
    }

    @Test func `the demo can be loaded again and changes nothing`() throws {
        let database = try ShopDatabase(in: site.folder)
        let connection = try database.connect()
        try connection.execute("UPDATE stock SET quantity = 1 WHERE product_id = 25")
        try database.load("sql/demo.sql", in: site.folder)
        #expect(try connection.number("SELECT quantity FROM stock WHERE product_id = 25") == 1)
        #expect(
            try connection.number("SELECT quantity FROM sale_window WHERE product_id = 101") == 20)
    }

    @Test func `the service can change neither the schema nor what was paid`() throws {
        let database = try ShopDatabase(in: site.folder)
        var server = database.owner
        server.user = database.user
        server.password = database.password
        let service = try Connection(to: server)
        for sql in [
            "DROP TABLE orders", "CREATE TABLE t (id INT)", "ALTER TABLE users ADD x INT",
            "UPDATE payment_history SET total_price = 0", "DELETE FROM payment_history",
            "DELETE FROM orders", "UPDATE orders SET total_price = 0",
            "UPDATE users SET name = 'x'", "UPDATE product SET price = 0",
            "INSERT INTO users (name, hp_no) VALUES ('x', 'x')",
            "UPDATE idempotency_key SET response = ''", "UPDATE outbox SET payload = '{}'",
            "UPDATE delivery SET event_id = UUID()", "UPDATE webhook_endpoint SET url = ''",
            "UPDATE stock_movement SET quantity = 0", "DELETE FROM stock_movement",
            "INSERT INTO point_adjustment (user_id, cause, amount) VALUES (25, 'ADJUSTMENT', 1)",
            "DELETE FROM webhook_endpoint", "SELECT * FROM mysql.user",
        ] {
            #expect(throws: DatabaseError.self, "\(sql)") { try service.execute(sql) }
        }
    }
}
