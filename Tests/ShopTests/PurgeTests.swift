import Commerce
import MariaDB
import Store
import Testing
import Threads

/// What nobody needs any more goes, and nothing else.
@Suite struct Purges {
    private let test: DeliveriesUnderTest
    private static let weekHours = 7 * 24

    init() throws { test = try DeliveriesUnderTest() }

    private func purge() throws -> Purge.Counts {
        try test.purge.run(
            olderThanHours: Self.weekHours, until: .now.advanced(byMilliseconds: 30_000))
    }

    private func end(_ count: Int, for target: TargetID = .notification, _ verdict: Mark.Verdict)
        throws
    {
        try test.deliveries.mark(try test.claim(target, count).map { Mark($0, verdict) })
    }

    private func age(days: Int, _ condition: String = "TRUE") throws {
        try test.execute(
            "UPDATE delivery SET finished_at = finished_at - INTERVAL \(days) DAY WHERE \(condition)"
        )
    }

    @Test func `an event goes a week after its last delivery has ended`() throws {
        let endpoint = try test.addEndpoint()
        try test.happen(3)
        try test.dispatchAll()
        try end(3, .delivered)
        try end(2, for: endpoint, .delivered)
        try age(days: 6)
        #expect(try purge().isEmpty)
        try age(days: 2)
        let counts = try purge()
        #expect(counts.deliveries == 5 && counts.events == 2)
        #expect(try test.number("SELECT COUNT(*) FROM outbox") == 1)
        try end(1, for: endpoint, .canceled(cause: "410"))
        try age(days: 8)
        #expect(try purge().events == 1)
        #expect(try test.number("SELECT COUNT(*) FROM outbox") == 0)
    }

    @Test func `what is dead or still to come stays, however old`() throws {
        let ids = try test.happen(3)
        try test.dispatchAll()
        try test.happen(1)
        try end(1, .dead(cause: "500"))
        try end(1, .delivered)
        try age(days: 1_000)
        try test.execute("UPDATE outbox SET created_at = created_at - INTERVAL 1000 DAY")
        #expect(try purge().events == 1)
        #expect(try test.number("SELECT COUNT(*) FROM outbox") == 3)
        #expect(try test.deliveries.replay(.events(ids)) == 2)
    }

    @Test func `two who purge the last deliveries of an event leave no event behind`() throws {
        let test = test
        let endpoints = try (1...3).map { _ in try test.addEndpoint() }
        try test.happen(1_500)
        try test.dispatchAll()
        for target in [.notification] + endpoints { try end(1_500, for: target, .delivered) }
        try age(days: 8)
        // So that one event's deliveries are far apart, and meet in different hands.
        try test.execute(
            "UPDATE delivery SET finished_at = finished_at - INTERVAL CRC32(id) % 1000 SECOND")
        let counts = try inParallel(4, threads: 4, nothing) { _, _ in
            try test.purge.run(
                olderThanHours: Self.weekHours, until: .now.advanced(byMilliseconds: 30_000))
        }
        #expect(counts.map(\.deliveries).reduce(0, +) == 6_000)
        #expect(counts.map(\.events).reduce(0, +) == 1_500)
        #expect(try test.number("SELECT COUNT(*) FROM outbox") == 0)
    }

    @Test func `keys go after 72 hours and notes of notifications with their events`() throws {
        try test.execute(
            """
            INSERT INTO idempotency_key
                (user_id, scope, idem_key, fingerprint, status, response, created_at)
            SELECT 25, 'CHARGE', seq, REPEAT('x', 32), 200, '', NOW() - INTERVAL seq HOUR
            FROM seq_70_to_700
            """)
        try test.execute(
            """
            INSERT INTO notification (event_id, sent_at)
            SELECT UUID(), NOW() - INTERVAL seq HOUR FROM seq_160_to_700
            """)
        let counts = try purge()
        #expect(counts.keys == 629)
        #expect(counts.notifications == 533)
        #expect(
            try test.number(
                "SELECT COUNT(*) FROM idempotency_key WHERE idem_key IN ('70', '71')") == 2)
        #expect(try test.number("SELECT COUNT(*) FROM notification") == 8)
    }

    @Test func `a purge that has no time left does nothing`() throws {
        try test.happen(1)
        try test.dispatchAll()
        try end(1, .delivered)
        try age(days: 8)
        #expect(try test.purge.run(olderThanHours: Self.weekHours, until: .now).isEmpty)
        #expect(try purge().events == 1)
    }
}
