import MariaDB
import Testing

@testable import Store

/// Who gets webhooks, as the database keeps it.
@Suite struct WebhookEndpointTests {
    private let scratch: ScratchFolder
    private let database: ShopDatabase
    private let endpoints: WebhookEndpoints

    init() throws {
        scratch = try ScratchFolder()
        database = try ShopDatabase(isDemo: false, in: scratch.path)
        let server = Server(
            address: .socket(path: try TestRun.mariadbSocket.get()), user: database.user,
            password: database.password, database: database.name)
        endpoints = WebhookEndpoints(
            pool: Pool(server: server, size: 4, waitLimitMilliseconds: 10_000))
    }

    private func add(_ url: String? = nil) throws -> Int64 {
        let own = "https://example.com/\(TestRun.freshName("hook"))"
        return try endpoints.add(url ?? own, secret: .random())
    }

    @Test func `an endpoint that was added is on, and its secret signs`() throws {
        let secret = WebhookSecret.random()
        let id = try endpoints.add("https://example.com/hooks", secret: secret)
        let other = try add("http://other.example/")
        let enabled = try endpoints.enabled()
        #expect(enabled.map(\.id) == [id, other])
        #expect(enabled[0].url == "https://example.com/hooks" && enabled[0].secrets == [secret])
        #expect(try endpoints.enabled(id)?.secrets == [secret])
        #expect(try endpoints.enabled(other + 1) == nil)
        let entry = try #require(try endpoints.all().first)
        #expect(entry.disabled == nil && entry.previousSecretUntil == nil)
        #expect(entry.pending == 0 && entry.dead == 0)
    }

    @Test func `no more endpoints are added than a worker can serve`() throws {
        for _ in 1...WebhookEndpoints.enabledMax { _ = try add() }
        #expect(throws: WebhookEndpoints.TooMany.self) { try add() }
        let first = try #require(try endpoints.enabled().first)
        _ = try endpoints.disable(first.id, because: "for another")
        _ = try add()
    }

    @Test func `after a rotation both secrets sign, for a time`() throws {
        let (first, second, third) = (
            WebhookSecret.random(), WebhookSecret.random(), WebhookSecret.random()
        )
        let id = try endpoints.add("https://example.com/", secret: first)
        #expect(try endpoints.rotate(id, to: second, overlapSeconds: 3_600))
        #expect(try endpoints.enabled()[0].secrets == [second, first])
        #expect(try endpoints.all()[0].previousSecretUntil != nil)
        #expect(try endpoints.rotate(id, to: third, overlapSeconds: 3_600))
        #expect(try endpoints.enabled()[0].secrets == [third, second])
        try database.connect().execute(
            "UPDATE webhook_endpoint SET previous_secret_until = UTC_TIMESTAMP(6)")
        #expect(try endpoints.enabled()[0].secrets == [third])
        #expect(try endpoints.all()[0].previousSecretUntil == nil)
    }

    @Test func `an endpoint that is off, or is none, gets no new secret`() throws {
        let id = try add()
        _ = try endpoints.disable(id, because: "of the test")
        #expect(try !endpoints.rotate(id, to: .random(), overlapSeconds: 60))
        #expect(try !endpoints.rotate(id + 1, to: .random(), overlapSeconds: 60))
    }

    @Test func `switching an endpoint off cancels what it was to get, and nothing else`() throws {
        let (id, other) = (try add(), try add())
        try deliveries(2_500, to: id, state: "PENDING")
        try deliveries(3, to: id, state: "DELIVERED")
        try deliveries(4, to: id, state: "DEAD")
        try deliveries(5, to: other, state: "PENDING")
        let before = try endpoints.all()
        #expect(before[0].pending == 2_500 && before[0].dead == 4)

        let reason = String(repeating: "Ä", count: 300)
        #expect(try endpoints.disable(id, because: reason) == 2_500)
        #expect(try count(id, "CANCELED") == 2_500 && count(id, "PENDING") == 0)
        #expect(try count(id, "DELIVERED") == 3 && count(id, "DEAD") == 4)
        #expect(try count(other, "PENDING") == 5)
        #expect(try endpoints.enabled().map(\.id) == [other] && endpoints.enabled(id) == nil)
        let disabled = try #require(try endpoints.all().first?.disabled)
        #expect(disabled.reason == String(repeating: "Ä", count: 255))
    }

    @Test func `switching off again cancels what is left, and keeps the first reason`() throws {
        let id = try add()
        #expect(try endpoints.disable(id, because: "first") == 0)
        let disabled = try #require(try endpoints.all().first?.disabled)
        try deliveries(2, to: id, state: "PENDING")
        #expect(try endpoints.disable(id, because: "second") == 2)
        let again = try #require(try endpoints.all().first?.disabled)
        #expect(again.reason == "first" && again.at == disabled.at)
        #expect(try endpoints.disable(id + 1, because: "none") == nil)
    }

    @Test func `no delivery is made for an endpoint that is being switched off`() throws {
        let id = try add()
        let endpoints = endpoints
        let connection = try database.connect()
        let disabling = try connection.transaction { connection in
            #expect(try WebhookEndpoints.enabledIDs(lockedOn: connection) == [id])
            let disabling = Beside { try endpoints.disable(id, because: "of the test") }
            try database.awaitBlockedSession()
            try deliveries(1, to: id, state: "PENDING", on: connection)
            return disabling
        }
        #expect(try disabling.value() == 1)
        #expect(try count(id, "CANCELED") == 1)
        #expect(try WebhookEndpoints.enabledIDs(lockedOn: connection) == [])
    }

    // MARK: - Helpers

    private func deliveries(
        _ count: Int, to id: Int64, state: String, on connection: Connection? = nil
    ) throws {
        let connection = try connection ?? database.connect()
        let mark = "\(UInt32.random(in: 1...UInt32.max))"
        try connection.execute(
            """
            INSERT INTO outbox
                (id, aggregate, aggregate_id, type, version, payload, created_at, dispatched_at)
            SELECT UUID(), 'ORDER', \(mark), 'order.paid', 1, '{}', UTC_TIMESTAMP(6),
                UTC_TIMESTAMP(6) FROM seq_1_to_\(count)
            """)
        let finished = state == "PENDING" ? "NULL" : "UTC_TIMESTAMP(6)"
        try connection.execute(
            """
            INSERT INTO delivery (event_id, target_id, state, due_at, finished_at)
            SELECT id, \(id), '\(state)', UTC_TIMESTAMP(6), \(finished)
            FROM outbox WHERE aggregate_id = \(mark)
            """)
    }

    private func count(_ id: Int64, _ state: String) throws -> Int64 {
        try database.connect().number(
            "SELECT COUNT(*) FROM delivery WHERE target_id = \(id) AND state = '\(state)'")
    }
}
