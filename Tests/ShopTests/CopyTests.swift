import Commerce
import FoundationEssentials
import Glibc
import HTTPReceiver
import MariaDB
import Testing

/// A copy of the shop's data takes orders, and tells nobody of them.
@Suite struct Copies {
    private let scratch: ScratchFolder
    private var folder: String { scratch.path }

    init() throws { scratch = try ScratchFolder() }

    /// A dump of a shop's database, made as README says, beside a shop that goes on.
    private func dump(_ database: ShopDatabase) throws -> String {
        let file = "\(folder)/\(TestRun.freshName("dump")).sql"
        let made = try Finished(
            ["mariadb-dump"] + ShopDatabase.options(of: try TestRun.mariadbSocket.get())
                + ["--single-transaction", "--result-file=\(file)", database.name], in: folder)
        try #require(made.status == 0, "\(made.errors)")
        return file
    }

    /// Loads a dump as README says, and gives the service its user.
    private func load(_ file: String, as database: ShopDatabase, at socket: String) throws {
        for (arguments, settings) in [
            (
                [
                    "bash", "-c",
                    #"mariadb "${@:3}" -e "CREATE DATABASE IF NOT EXISTS $2" && mariadb "${@:3}" "$2" <"$1""#,
                    "bash", file, database.name,
                ] + ShopDatabase.options(of: socket), [:]
            ),
            (
                ["\(TestRun.repository)/sql/service-user.sh"] + ShopDatabase.options(of: socket)
                    + [database.name],
                [
                    "COMMERCE_DATABASE_USER": database.user,
                    "COMMERCE_DATABASE_PASSWORD": database.password,
                ]
            ),
        ] as [([String], [String: String])] {
            let run = try Finished(arguments, settings: settings, in: folder)
            try #require(run.status == 0, "\(run.errors)")
        }
    }

    private func commerce(_ command: String, _ settings: [String: String]) throws -> Finished {
        try Finished(
            [TestRun.commerce] + command.split(separator: " ").map(String.init), settings: settings,
            in: folder)
    }

    @Test func `a restored dump tells nobody until an operator says that it is the shop`() throws {
        let receiver = try Receiver()
        let shop = try Shop(hasWorker: true)
        let added = try commerce(
            "webhooks add \(receiver.url)/hooks",
            shop.database.settings().merging(["COMMERCE_WEBHOOKS_ALLOW_PRIVATE": "1"]) { $1 })
        try #require(added.status == 0, "\(added.errors)")
        func order() throws {
            let body =
                #"[{"user_id": 25, "products": [{"id": 101, "quantity": 1}], "paymentAmount": 2000}]"#
            #expect(try shop.post("/api/v1/orders", body).status == 200)
        }
        try order()
        #expect(eventually { receiver.arrivals.count == 1 ? true : nil } != nil)

        let socket = "\(folder)/copy.sock"
        let mariadb = try Part.mariadb(
            in: folder, socket: socket, options: ["--innodb-buffer-pool-size=32M"],
            log: "\(folder)/copy.log")
        // One event that the dump has, and that waits: the copy would send it at once.
        shop.worker?.suspend()
        try order()
        let file = try dump(shop.database)
        shop.worker?.resume()
        try load(file, as: shop.database, at: socket)
        let settings = try shop.database.settings(through: socket).merging([
            "COMMERCE_AUDIT_INTERVAL": "0", "COMMERCE_WORK_SOCKET": "\(folder)/work.sock",
        ]) { $1 }
        let worker = try Part.worker(settings, in: folder)
        #expect(contents(of: worker.log).contains("HELD: this database is a copy"))

        try order()
        #expect(eventually { receiver.arrivals.count == 3 ? true : nil } != nil, "the original's")
        let copy = try Connection(to: TestRun.owner(of: shop.database.name, at: socket))
        try copy.execute(
            "INSERT INTO outbox SELECT UUID(), aggregate, aggregate_id, type, version, payload, "
                + "trace_id, created_at, NULL FROM outbox LIMIT 1")
        usleep(3_000_000)
        #expect(receiver.arrivals.count == 3)
        #expect(notificationLines(in: folder) == [])
        #expect(
            try copy.number("SELECT COUNT(*) FROM outbox WHERE dispatched_at IS NULL") == 2)
        #expect(try commerce("webhooks test 1", settings).status == 65)
        #expect(receiver.arrivals.count == 3)

        let resumed = try commerce("resume", settings)
        #expect(resumed.output.hasPrefix("this database is the shop now"), "\(resumed.errors)")
        #expect(try commerce("resume", settings).output.contains("has been the shop already"))
        #expect(eventually { receiver.arrivals.count == 5 ? true : nil } != nil)
        #expect(eventually { notificationLines(in: folder).count >= 1 ? true : nil } != nil)
        try worker.awaitLine("this database is the shop")
        #expect(try commerce("hold", settings).status == 0)
        #expect(
            eventually {
                contents(of: worker.log).split(separator: "HELD:").count == 3 ? true : nil
            } != nil)
        worker.stop()
        mariadb.stop()
    }

    @Test func `a dump that is loaded over its own database is a copy with a cache of its own`()
        throws
    {
        let shop = try Shop()
        let file = try dump(shop.database)
        let charge = #"[{"chargeAmount": 50000}]"#
        let first = try shop.post("/api/v1/users/25/charge", charge, key: "later")
        #expect(first.status == 200 && first.text.contains("150,000"), "\(first.text)")
        shop.commerce.stop()
        try load(file, as: shop.database, at: try TestRun.mariadbSocket.get())
        try shop.startSuccessor()
        try shop.waitUntilReady()
        // memcached knows the answer of the data that are gone. These data have not charged.
        #expect(try shop.points(25) == 100_000)
        let again = try shop.post("/api/v1/users/25/charge", charge, key: "later")
        #expect(again.status == 200 && again["Idempotent-Replayed"] == nil)
        #expect(try shop.points(25) == 150_000)
        let ready = try shop.get("/readyz")
        #expect(ready.status == 200)
        #expect(ready.text == #"{"status": "degraded", "deliveries": "held"}"#)
        #expect(try commerce("resume", shop.database.settings()).status == 0)
        #expect(try shop.get("/readyz").text == #"{"status": "ok"}"#)
    }

    @Test func `a shop that was migrated, restarted or held and resumed is the same shop`() throws {
        let database = try ShopDatabase(in: folder)
        let owner = try database.connect()
        let generation = "SELECT CAST(UNIX_TIMESTAMP(row_start) * 1000000 AS SIGNED) FROM shop"
        let before = try owner.number(generation)
        for command in ["hold", "hold", "resume", "resume"] {
            #expect(try commerce(command, database.settings()).status == 0)
        }
        #expect(try owner.number(generation) == before)
        #expect(
            try owner.number("SELECT COUNT(*) FROM shop WHERE live_generation = row_start") == 1)
        try database.load("sql/migrations/0011_shop.sql", in: folder)
        #expect(try owner.number(generation) == before)
    }
}
