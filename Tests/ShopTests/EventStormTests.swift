import FoundationEssentials
import Glibc
import HTTPReceiver
import MariaDB
import Synchronization
import Testing

@testable import Events
@testable import Store

extension Queueing {
    @Test func `every paid order arrives everywhere, whoever is killed and whatever is answered`()
        throws
    {
        let storm = try EventStorm(on: try TestBroker.shared.get())
        let books = try Books(storm.shop)
        var (orders, lastOfGone) = (0, 0)
        for kill in 1...EventStorm.kills {
            orders += try storm.takeOrders(andKill: kill)
            if kill == EventStorm.kills / 2 { #expect(try storm.isOff(storm.gone)) }
            // Those who work now have begun after it was switched off.
            if kill == EventStorm.kills / 2 + 2 { lastOfGone = storm.gone.receiver.arrivals.count }
        }
        storm.passes()
        #expect(orders == EventStorm.orders)
        #expect(try storm.settles(within: 60))

        let paid = try storm.paidEvents()
        #expect(paid.count == EventStorm.orders)
        #expect(storm.tellsBuyers(of: paid, within: 30))
        for endpoint in [storm.well, storm.moody] {
            #expect(endpoint.taken == paid)
            #expect(endpoint.receiver.arrivals.allSatisfy(endpoint.signed))
        }
        #expect(storm.moody.receiver.arrivals.count > paid.count + Mood.turn)
        #expect(storm.gone.receiver.arrivals.allSatisfy(storm.gone.signed))
        #expect(storm.gone.receiver.arrivals.count == lastOfGone)
        #expect(storm.off.receiver.arrivals.isEmpty)
        #expect(try storm.deliveries("state = 'DELIVERED'") == Int64(3 * paid.count))
        #expect(try storm.deliveries("state <> 'DELIVERED' AND target_id <> \(storm.gone.id)") == 0)
        #expect(try books.discrepancies() == [])
        print(
            "arrived again:", storm.well.receiver.arrivals.count - paid.count,
            "told again:", storm.told.count - paid.count)
    }
}

/// How a receiver behaves that has a bad day.
enum Mood {
    /// Requests after which it begins anew.
    static let turn = 400

    /// What it does with its nth request.
    static func reaction(to number: Int) -> Receiver.Reaction {
        switch number % turn {
        case ..<250: .answer(200)
        case ..<320: .answer(500)
        case ..<380: .reset
        case ..<399: .answer(429, headers: ["Retry-After": "1"])
        default: .hang
        }
    }
}

/// A shop whose workers are killed, with receivers of all kinds and a real RabbitMQ.
final class EventStorm: Sendable {
    static let kills = 20
    static let orders = 5_000
    private static let slice = orders / kills

    /// A receiver that is registered.
    struct Endpoint: Sendable {
        let receiver: Receiver
        let id: Int64
        let secret: WebhookSecret
        /// The events that it answered 2xx.
        private let accepted = Shared<Set<UUID>>([])

        init(
            in endpoints: WebhookEndpoints,
            _ react: @escaping @Sendable (Arrival) -> Receiver.Reaction
        ) throws {
            let accepted = accepted
            receiver = try Receiver { arrival in
                let reaction = react(arrival)
                if case .answer(200, _, _) = reaction, let id = arrival.eventID {
                    accepted.withLock { _ = $0.insert(id) }
                }
                return reaction
            }
            secret = .random()
            id = try endpoints.add(receiver.url, secret: secret)
        }

        var taken: Set<UUID> { accepted.withLock { $0 } }

        /// Whether a request is one that only the shop can have made, about the event it names.
        @Sendable func signed(_ arrival: Arrival) -> Bool {
            guard let id = arrival.headers["webhook-id"],
                let seconds = arrival.headers["webhook-timestamp"].flatMap({ Int($0) }),
                String(decoding: arrival.body, as: UTF8.self).hasPrefix("{\"id\":\"\(id)\"")
            else { return false }
            let signature = WebhookSignature.header(
                id: id, seconds: seconds, body: arrival.body, secrets: [secret])
            return arrival.headers["webhook-signature"] == signature
        }
    }

    let shop: Shop
    /// Takes everything at once.
    let well: Endpoint
    /// Behaves as ``Mood`` says until the storm has passed.
    let moody: Endpoint
    /// Wants no more from its first event on.
    let gone: Endpoint
    /// Was switched off before anything happened.
    let off: Endpoint

    private let weather: Weather
    private let settings: [String: String]
    private let workers: Mutex<[Part]>
    private let notifier: Mutex<Part>

    /// Whether receivers have reason to behave badly.
    private final class Weather: Sendable {
        let isStormy = Atomic<Bool>(true)
    }

    init(on broker: TestBroker) throws {
        let (shop, weather, number) = (try Shop(), Weather(), Tally())
        try shop.execute("UPDATE users SET point = 1000000000")
        try shop.execute("UPDATE stock SET quantity = 1000000")
        let server = Server(
            address: .socket(path: try TestRun.mariadbSocket.get()), user: shop.database.user,
            password: shop.database.password, database: shop.database.name)
        let endpoints = WebhookEndpoints(
            pool: Pool(server: server, size: 1, waitLimitMilliseconds: 1_000))
        well = try Endpoint(in: endpoints) { _ in .answer(200) }
        moody = try Endpoint(in: endpoints) { _ in
            let isStormy = weather.isStormy.load(ordering: .relaxed)
            return isStormy ? Mood.reaction(to: number.add()) : .answer(200)
        }
        gone = try Endpoint(in: endpoints) { _ in .answer(410) }
        off = try Endpoint(in: endpoints) { _ in .answer(200) }
        _ = try endpoints.disable(off.id, because: "a test")
        // Attempts come at once, and what a dead worker had is soon due again: sooner even than a
        // receiver that hangs is given up, so that two workers have the same event now and then.
        let settings = try shop.database.settings().merging([
            "COMMERCE_AMQP_URL": broker.url, "COMMERCE_DELIVERY_PAUSE_MS": "2",
            "COMMERCE_DELIVERY_ATTEMPTS": "100", "COMMERCE_DELIVERY_LEASE_SECONDS": "2",
        ]) { $1 }
        workers = Mutex(try (1...2).map { _ in try Part.worker(settings, in: shop.folder) })
        notifier = Mutex(try Self.startNotifier(settings, in: shop.folder))
        (self.shop, self.weather, self.settings) = (shop, weather, settings)
    }

    private static func startNotifier(
        _ settings: [String: String], in folder: String
    ) throws -> Part {
        let file = ["COMMERCE_NOTIFICATION_FILE": "\(folder)/notifications.jsonl"]
        return try Part(
            [TestRun.commerce, "notify"], settings: settings.merging(file) { $1 },
            log: "\(folder)/\(TestRun.freshName("notify")).log")
    }

    /// Places the next orders, and kills a worker amid their deliveries; now and then the notifier
    /// with it.
    ///
    /// - Returns: how many orders were answered.
    func takeOrders(andKill kill: Int) throws -> Int {
        let shop = shop
        let before = well.receiver.arrivals.count
        let answers = Beside {
            try shop.crowd(Self.slice, threads: 8) { client, number in
                let body = order(1 + number % 100, [(101 + number % 5, 1)], paying: 2_000)
                return try client.post("/api/v1/orders", body)
            }
        }
        // Another moment each time.
        let moment = before + 1 + kill * 37 % (Self.slice / 2)
        guard well.receiver.arrivals(moment, withinMilliseconds: 30_000) != nil else {
            throw Failure("the deliveries do not go on")
        }
        try workers.withLock { workers in
            workers[kill % 2].killNow()
            #expect(workers[kill % 2].ended == 128 + SIGKILL)
            workers[kill % 2] = try Part.worker(settings, in: shop.folder)
        }
        if kill % 5 == 0 {
            try notifier.withLock { notifier in
                notifier.killNow()
                notifier = try Self.startNotifier(settings, in: shop.folder)
            }
        }
        return try answers.value().count { $0.orderID != nil }
    }

    /// From now on all receivers are well, and nobody is killed.
    func passes() { weather.isStormy.store(false, ordering: .relaxed) }

    /// Waits until nothing is left to be dispatched or delivered.
    func settles(within seconds: Double) throws -> Bool {
        let isSettled = try eventually(within: seconds, pauseMilliseconds: 50) { () -> Bool? in
            let waiting = try shop.number(
                "SELECT COUNT(*) FROM outbox WHERE dispatched_at IS NULL")
            return try waiting == 0 && deliveries("state = 'PENDING'") == 0 ? true : nil
        }
        return isSettled != nil
    }

    func deliveries(_ condition: String) throws -> Int64 {
        try shop.number("SELECT COUNT(*) FROM delivery WHERE \(condition)")
    }

    func isOff(_ endpoint: Endpoint) throws -> Bool {
        try shop.number(
            """
            SELECT COUNT(*) FROM webhook_endpoint
            WHERE id = \(endpoint.id) AND disabled_at IS NOT NULL
            """) == 1
    }

    func paidEvents() throws -> Set<UUID> {
        Set(
            try shop.database.connect().query("SELECT id FROM outbox WHERE type = 'order.paid'") {
                row throws(DatabaseError) in try row.uuid(0)
            })
    }

    /// The events that buyers were told of, as often as they were. A line that a killed process left
    /// unfinished was not told.
    var told: [UUID] {
        struct Line: Decodable { let eventId: UUID }
        return notificationLines(in: shop.folder).compactMap { line in
            try? JSONDecoder().decode(Line.self, from: Data(line.utf8)).eventId
        }
    }

    /// Waits until buyers are told of these events, and checks that they are told of no others.
    func tellsBuyers(of events: Set<UUID>, within seconds: Double) -> Bool {
        let isTold = eventually(within: seconds, pauseMilliseconds: 200) {
            Set(told).count >= events.count ? Set(told) == events : nil
        }
        return isTold ?? false
    }
}
