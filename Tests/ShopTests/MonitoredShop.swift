import Glibc
import HTTPReceiver
import MariaDB
import Synchronization
import Testing

/// A shop with all that it may have, and a Prometheus, in which something always happens, and the
/// faults that alerts are about.
final class MonitoredShop: Sendable {
    let shop: Shop
    let monitoring: Monitoring
    let proxy: Proxy
    let broker: TestBroker
    private let notifier: Part
    private let worker: Mutex<Part?>
    private let workerSettings: [String: String]
    private let isOver: Tally
    private let customer: Beside<Void>
    private let receivers = Mutex<[Receiver]>([])
    private let known = Mutex<Set<String>>([])

    /// Few enough for a handful of requests to take them all.
    private static let workers = 4
    private static let connections = 2

    init() throws {
        let shop = try Shop(
            [
                "COMMERCE_WORKERS": "\(Self.workers)",
                "COMMERCE_DATABASE_POOL": "\(Self.connections)",
            ], hasProxy: true)
        self.shop = shop
        proxy = try #require(shop.proxy)
        broker = try TestBroker()
        workerSettings = try shop.database.settings().merging([
            "COMMERCE_WORK_SOCKET": "\(shop.folder)/work.sock",
            "COMMERCE_MEMCACHED": "\(shop.folder)/memcached.sock",
            "COMMERCE_WEBHOOKS_ALLOW_PRIVATE": "1", "COMMERCE_DELIVERY_ATTEMPTS": "2",
            "COMMERCE_DELIVERY_PAUSE_MS": "10", "COMMERCE_AUDIT_INTERVAL": "1",
            "COMMERCE_AMQP_URL": broker.url,
        ]) { $1 }
        notifier = try Self.startNotifier(of: broker, in: shop)
        worker = Mutex(try Part.worker(workerSettings, in: shop.folder))
        let isOver = Tally()
        self.isOver = isOver
        customer = Beside { Self.beCustomer(of: shop, until: isOver) }
        monitoring = try Monitoring(of: shop)
    }

    deinit {
        isOver.add()
        stopWorker()
        try? customer.value()
    }

    private static func startNotifier(of broker: TestBroker, in shop: Shop) throws -> Part {
        let part = try Part(
            [TestRun.commerce, "notify"],
            settings: try shop.database.settings().merging([
                "COMMERCE_AMQP_URL": broker.url,
                "COMMERCE_NOTIFICATION_FILE": "\(shop.folder)/notifications.jsonl",
                "COMMERCE_NOTIFY_SOCKET": "\(shop.folder)/notify.sock",
            ]) { $1 }, log: "\(shop.folder)/notifier.log")
        try part.awaitLine("consuming")
        return part
    }

    /// Some of everything that a shop is asked for, a few times a second. What fails is what the
    /// test is about.
    private static func beCustomer(of shop: Shop, until isOver: Tally) {
        let client = shop.newClient()
        var number = 0
        while isOver.count == 0 {
            number += 1
            let user = 2 + number % 90
            _ = try? client.get("/products/\(101 + number % 5)")
            _ = try? client.get("/products/popular")
            _ = try? client.get("/api/v1/users/\(user)/orders")
            _ = try? client.post(
                "/api/v1/orders", order(user, [(101, 1)], paying: 2_000), key: "order-\(number)")
            let path = "/api/v1/users/\(user)/charge"
            for _ in 1...2 { _ = try? client.post(path, charge(1_000), key: "charge-\(number)") }
            usleep(250_000)
        }
    }

    // MARK: - What is shown

    /// The queries of the dashboard that have no data and get none, but for that of the alerts.
    func panelsWithoutData() async throws -> [String] {
        var waiting = try Monitoring.dashboardQueries().filter { !$0.contains("ALERTS") }
        _ = try await awaited(within: 120) {
            waiting = try waiting.filter { try monitoring.client.query($0).isEmpty }
            return waiting.isEmpty ? true : nil
        }
        return waiting
    }

    /// Whether the panel of alerts shows one that fires.
    func panelOfAlertsHasData() throws -> Bool {
        let queries = try Monitoring.dashboardQueries().filter { $0.contains("ALERTS") }
        return try !queries.isEmpty
            && queries.allSatisfy { try !monitoring.client.query($0).isEmpty }
    }

    /// All alerts that have come so far.
    var fired: Set<String> { known.withLock { $0 } }

    /// Expects that alerts are quiet, and that a fault makes exactly them fire.
    ///
    /// - Parameter fault: is given what waits for the alerts, and repeats its own part meanwhile.
    func fires(
        _ names: String..., sourceLocation: SourceLocation = #_sourceLocation,
        while fault: (_ wait: (_ driving: () throws -> Void) async throws -> Void) async throws ->
            Void
    ) async throws {
        #expect(try alarms().isDisjoint(with: names), sourceLocation: sourceLocation)
        try await fault { drive in
            let haveFired = try await awaited(within: 120) {
                try drive()
                return try monitoring.client.firing().isSuperset(of: names) ? true : nil
            }
            let firing = try monitoring.client.firing()
            #expect(haveFired == true, "only \(firing)", sourceLocation: sourceLocation)
            #expect(try alarms().subtracting(names) == [], sourceLocation: sourceLocation)
            known.withLock { $0.formUnion(firing) }
        }
    }

    /// What fires and has not been expected yet.
    func alarms() throws -> Set<String> {
        try monitoring.client.firing().subtracting(known.withLock { $0 }).subtracting(Self.ofSpeed)
    }

    /// A machine that others keep busy raises it, and rightly.
    private static let ofSpeed: Set = ["LatencyHigh"]
}

// MARK: - Faults

extension MonitoredShop {
    /// Changes a user as often as possible while the user charges points: a charge that has not locked
    /// the row loses it.
    func withRival(_ body: () async throws -> Void) async throws {
        let (shop, isOver) = (shop, Tally())
        let rival = Beside {
            let connection = try shop.database.connect()
            while isOver.count == 0 {
                try insist("UPDATE users SET version = version + 1 WHERE id = 25", on: connection)
            }
        }
        let customer = Beside {
            let client = shop.newClient()
            var number = 0
            while isOver.count == 0 {
                number += 1
                _ = try client.post("/api/v1/users/25/charge", charge(1_000), key: "\(number)")
            }
        }
        defer { isOver.add() }
        try await body()
        isOver.add()
        try rival.value()
        try customer.value()
    }

    /// Adds a receiver that refuses, and one that wants to be asked in an hour.
    func addFailingReceivers() throws {
        for reaction in [
            Receiver.Reaction.answer(500), .answer(503, headers: ["Retry-After": "3600"]),
        ] {
            let receiver = try Receiver { _ in reaction }
            receivers.withLock { $0.append(receiver) }
            let added = try Finished(
                [TestRun.commerce, "webhooks", "add", receiver.url], settings: workerSettings,
                in: shop.folder)
            guard added.status == 0 else { throw Failure(added.errors) }
        }
    }

    /// As if ten minutes had gone by.
    func ageEvents() throws {
        try insist(
            "UPDATE outbox SET created_at = created_at - INTERVAL 10 MINUTE",
            on: shop.database.connect())
    }

    /// Takes points from somebody, by hand.
    func breakTheBooks() throws {
        try insist(
            "UPDATE users SET point = point - 1 WHERE id = 99", on: shop.database.connect())
    }

    func stopWorker() {
        worker.withLock { worker in
            worker?.stop()
            worker = nil
        }
    }

    func stopNotifier() { notifier.stop() }

    /// Starts the worker again, while an audit that never ends is under way elsewhere.
    func withAuditsBlocked(_ body: () async throws -> Void) async throws {
        let connection = try shop.database.connect()
        let lock = "commerce.audit.\(shop.database.name)"
        #expect(try connection.number("SELECT GET_LOCK('\(lock)', 10)") == 1)
        let part = try Part.worker(workerSettings, in: shop.folder)
        worker.withLock { $0 = part }
        try await body()
        #expect(try connection.number("SELECT RELEASE_LOCK('\(lock)')") == 1)
    }

    /// Asks for orders from more threads than there are workers, while nobody can read any.
    func withOrdersLocked(_ body: () async throws -> Void) async throws {
        let (shop, isOver) = (shop, Tally())
        let connection = try shop.database.connect()
        try insist("LOCK TABLES orders WRITE", on: connection)
        let crowd = (0..<(3 * Self.workers)).map { number in
            Beside {
                let client = shop.newClient()
                while isOver.count == 0 {
                    _ = try? client.get("/api/v1/users/\(number + 1)/orders")
                }
            }
        }
        defer { isOver.add() }
        try await body()
        isOver.add()
        try connection.execute("UNLOCK TABLES")
        for customer in crowd { try customer.value() }
    }
}

extension MonitoredShop {
    /// Holds the stock of the product that all of them order.
    func withStockLocked(_ body: () async throws -> Void) async throws {
        let connection = try shop.database.connect()
        try connection.execute("SET SESSION idle_transaction_timeout = 0")
        try connection.execute("START TRANSACTION")
        try insist("SELECT * FROM stock WHERE product_id = 101 FOR UPDATE", on: connection)
        try await body()
        try connection.execute("ROLLBACK")
    }
}

/// Carries out a statement, again where others have held its rows for longer than it waits.
private func insist(_ sql: String, on connection: Connection) throws {
    let isDone = try eventually(within: 60) {
        do {
            try connection.execute(sql)
            return true
        } catch let error as DatabaseError where error.kind == .lostRace {
            return nil
        }
    }
    if isDone == nil { throw Failure("others hold its rows: \(sql)") }
}

/// Hundreds who order at once, and wait for no answer.
final class Throng {
    /// Of a round; a command waits for its settlement longer than some rounds take.
    private static let size = 200

    private let shop: Shop
    private var clients: [Client] = []

    init(of shop: Shop) { self.shop = shop }

    /// Who came in the round before the last leaves. What they ordered is in the queue.
    func come() throws {
        let body = order(25, [(101, 1)], paying: 2_000)
        clients.removeFirst(max(0, clients.count - Self.size))
        clients += try (0..<Self.size).map { _ in
            let client = shop.newClient()
            try client.send(
                """
                POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: \(body.utf8.count)\r\n\r\n\(body)
                """)
            return client
        }
    }
}
