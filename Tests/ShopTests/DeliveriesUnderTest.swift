import Commerce
import FoundationEssentials
import MariaDB

@testable import Store

/// Events and their deliveries in a database of their own, without anybody who delivers them.
final class DeliveriesUnderTest: Sendable {
    let database: ShopDatabase
    let deliveries: Deliveries
    let endpoints: WebhookEndpoints
    let purge: Purge
    private let scratch: ScratchFolder

    init() throws {
        scratch = try ScratchFolder()
        database = try ShopDatabase(in: scratch.path)
        var server = Server(
            address: .socket(path: try TestRun.mariadbSocket.get()), user: database.user,
            password: database.password, database: database.name)
        // On a busy machine a turn at a lock may take seconds.
        server.lockTimeoutSeconds = 20
        server.readTimeoutSeconds = 60
        let pool = Pool(server: server, size: 16, waitLimitMilliseconds: 10_000)
        deliveries = Deliveries(pool: pool)
        endpoints = WebhookEndpoints(pool: pool)
        purge = Purge(pool: pool)
    }

    /// Events as the ledger writes them.
    @discardableResult
    func happen(_ count: Int, type: EventType = .orderPaid) throws -> [UUID] {
        try database.happen(count, type: type)
    }

    func addEndpoint() throws -> TargetID {
        TargetID(
            try endpoints.add(
                "http://127.0.0.1:9/\(TestRun.freshName("hook"))", secret: .random()))
    }

    func dispatchAll() throws {
        while try deliveries.dispatch().count > 0 {}
    }

    func claim(
        _ target: TargetID = .notification, _ countMax: Int = 100, leaseMilliseconds: Int = 60_000
    ) throws -> [Delivery] {
        try deliveries.claim(target, countMax: countMax, leaseMilliseconds: leaseMilliseconds)
    }

    /// Makes what is pending due, whatever its lease or pause.
    func makeDue() throws {
        try execute("UPDATE delivery SET due_at = UTC_TIMESTAMP(6) WHERE state = 'PENDING'")
    }

    func execute(_ sql: String) throws { try database.connect().execute(sql) }

    func number(_ sql: String) throws -> Int64 { try database.connect().number(sql) }

    func count(_ state: DeliveryState, _ target: TargetID? = nil) throws -> Int64 {
        let only = target.map { "AND target_id = \($0)" } ?? ""
        return try number(
            "SELECT COUNT(*) FROM delivery WHERE state = '\(state.rawValue)' \(only)")
    }
}

extension ShopDatabase {
    /// Writes events of orders by the demo's user 25, as the ledger does.
    @discardableResult
    func happen(_ count: Int, type: EventType = .orderPaid) throws -> [UUID] {
        let ids = UUID.ascending(count)
        try write(
            ids.enumerated().map { index, id in
                let order = Int64(index + 1)
                return Event(
                    id: id, aggregate: .order, aggregateID: order, type: type,
                    payload: orderEvent(order).payload, createdAt: Moment(""))
            })
        return ids
    }

    /// Writes events, as of now.
    func write(_ events: [Event]) throws {
        let rows = events.map { event in
            [
                .uuid(event.id), .integer(event.aggregateID), .text(event.type.rawValue),
                .bytes(event.payload),
            ] as [Value]
        }
        try connect().transaction { connection in
            _ = try connection.executeBulk(
                """
                INSERT INTO outbox
                    (id, aggregate, aggregate_id, type, version, payload, created_at)
                VALUES (?, 'ORDER', ?, ?, 1, ?, UTC_TIMESTAMP(6))
                """, rows)
        }
    }
}
