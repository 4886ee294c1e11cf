import Commerce
import FoundationEssentials
import MariaDB
import Store
import Testing

/// Who gets which event, and who may deliver it: however many ask at once.
@Suite struct DeliveryTests {
    private let test: DeliveriesUnderTest
    private var deliveries: Deliveries { test.deliveries }

    init() throws { test = try DeliveriesUnderTest() }

    // MARK: - Dispatch

    @Test func `an event goes to the notification and to every endpoint that is on`() throws {
        let (on, off) = (try test.addEndpoint(), try test.addEndpoint())
        try deliveries.switchOff(off, because: "of the test")
        let events = try test.happen(3)
        let dispatch = try deliveries.dispatch()
        #expect(dispatch.count == 3 && !dispatch.isFull)
        #expect(dispatch.due == [.notification, on])
        for target in [TargetID.notification, on] {
            #expect(try test.claim(target).map(\.event.id).sorted() == events)
        }
        #expect(try test.claim(off).isEmpty)
        #expect(try deliveries.dispatch().count == 0)
    }

    @Test func `what is leased at its dispatch is claimed by nobody until the lease ends`() throws {
        let endpoint = try test.addEndpoint()
        let events = try test.happen(3)
        let dispatch = try deliveries.dispatch(leasing: [endpoint], leaseMilliseconds: 2_000)
        #expect(dispatch.due == [.notification])
        #expect(try test.claim(.notification).count == 3)
        let leased = try #require(dispatch.leased[endpoint])
        #expect(dispatch.leased.count == 1)
        #expect(leased.map(\.event.id) == events && leased.allSatisfy { $0.attempt == 1 })
        #expect(try test.claim(endpoint).isEmpty)
        #expect(try deliveries.mark([Mark(leased[0], .delivered)]) == 0)
        // Their worker has died.
        let again = try #require(
            try eventually { () -> [Delivery]? in
                let again = try test.claim(endpoint)
                return again.isEmpty ? nil : again
            })
        #expect(again.map(\.event.id) == Array(events[1...]))
        #expect(again.allSatisfy { $0.attempt == 2 })
        #expect(try deliveries.mark([Mark(leased[1], .delivered)]) == 1)
    }

    @Test func `an event that has a delivery already is dispatched to the others`() throws {
        let endpoint = try test.addEndpoint()
        let events = try test.happen(3)
        // As after somebody has undone the dispatch, or restored half of it.
        try test.execute(
            """
            INSERT INTO delivery (event_id, target_id, due_at, state, finished_at)
            SELECT id, 0, UTC_TIMESTAMP(6), 'DELIVERED', UTC_TIMESTAMP(6) FROM outbox
            WHERE id = '\(events[0].uuidString)'
            """)
        let dispatch = try deliveries.dispatch(
            leasing: [.notification], leaseMilliseconds: 60_000)
        #expect(dispatch.leased[.notification]?.map(\.event.id) == Array(events[1...]))
        #expect(try test.claim(endpoint).map(\.event.id).sorted() == events)
        #expect(try test.count(.delivered) == 1)
        #expect(try deliveries.dispatch().count == 0)
    }

    @Test func `any cause can be stored, and is one line without control characters`() throws {
        try test.happen(4)
        try test.dispatchAll()
        let causes = [
            String(repeating: "e\u{301}\u{302}", count: 255), String(repeating: "👨‍👩‍👧‍👦", count: 99),
            "a\u{1B}[2J\n\u{9B}1m\u{0}b\u{202E}c\u{2028}", "",
        ]
        let marks = zip(try test.claim(), causes).map { Mark($0, .dead(cause: $1)) }
        #expect(try deliveries.mark(marks) == 0)
        #expect(
            try test.number("SELECT MAX(CHAR_LENGTH(last_error)) FROM delivery") == 255)
        #expect(
            try test.number(
                """
                SELECT COUNT(*) FROM delivery
                WHERE last_error = 'a\\\\u{1B}[2J\\\\u{A}\\\\u{9B}1m\\\\u{0}b\\\\u{202E}c\\\\u{2028}'
                """) == 1)
        let endpoint = try test.addEndpoint()
        try deliveries.switchOff(endpoint, because: causes[0])
    }

    @Test func `an endpoint gets nothing that was dispatched before it was added`() throws {
        try test.happen(2)
        try test.dispatchAll()
        let endpoint = try test.addEndpoint()
        let later = try test.happen(1)
        try test.dispatchAll()
        #expect(try test.claim(endpoint).map(\.event.id) == later)
    }

    @Test func `many who dispatch at once make every delivery once`() throws {
        let test = test
        _ = try (test.addEndpoint(), test.addEndpoint())
        try test.happen(3_000)
        let counts = try inParallel(8, threads: 8, nothing) { _, _ in
            var count = 0
            while case let dispatch = try test.deliveries.dispatch(), dispatch.count > 0 {
                count += dispatch.count
            }
            return count
        }
        #expect(counts.reduce(0, +) == 3_000)
        #expect(counts.count { $0 > 0 } > 1, "one did it all: \(counts)")
        #expect(try test.count(.pending) == 9_000)
        #expect(try test.number("SELECT COUNT(*) FROM outbox WHERE dispatched_at IS NULL") == 0)
    }

    @Test func `an event that is not committed yet is passed over, not waited for`() throws {
        let connection = try test.database.connect()
        try connection.transaction { connection in
            try connection.execute(
                """
                INSERT INTO outbox
                    (id, aggregate, aggregate_id, type, version, payload, created_at)
                VALUES (UUID(), 'ORDER', 9, 'order.paid', 1, '{}', UTC_TIMESTAMP(6))
                """)
            try test.happen(2)
            #expect(try deliveries.dispatch().count == 2)
        }
        #expect(try deliveries.dispatch().count == 1)
    }

    @Test func `an endpoint that is being switched off gets nothing afterwards`() throws {
        let test = test
        let endpoint = try test.addEndpoint()
        try test.happen(1)
        let hold = try Hold(
            "UPDATE webhook_endpoint SET disabled_at = NOW(6), disabled_reason = 'x'",
            in: test.database)
        let dispatch = Beside { try test.deliveries.dispatch() }
        try hold.awaitWaiter()
        try hold.release()
        #expect(try dispatch.value().due == [.notification])
        #expect(try test.count(.pending, endpoint) == 0)
    }

    // MARK: - Claim

    @Test func `a claim brings the event as it was written, and whose turn it is`() throws {
        let ids = try test.happen(1, type: .orderCancelled)
        try test.dispatchAll()
        let claimed = try #require(try test.claim().first)
        #expect(claimed.attempt == 1)
        #expect(claimed.event.id == ids[0] && claimed.event.type == .orderCancelled)
        #expect(claimed.event.payload == orderEvent(1).payload)
    }

    @Test func `many who claim at once share what is due, and each delivery is claimed once`()
        throws
    {
        let test = test
        try test.happen(1_000)
        try test.dispatchAll()
        let claims = try inParallel(8, threads: 8, nothing) { _, _ in
            var ids: [Int64] = []
            while case let claimed = try test.claim(.notification, 20), !claimed.isEmpty {
                ids += claimed.map(\.id)
            }
            return ids
        }
        let ids = claims.flatMap { $0 }
        #expect(ids.count == 1_000 && Set(ids).count == 1_000)
        #expect(claims.count { !$0.isEmpty } > 1, "one claimed it all")
    }

    @Test func `what another worker is about to claim is passed over, not waited for`() throws {
        try test.happen(5)
        try test.dispatchAll()
        let hold = try Hold(
            "SELECT id FROM delivery FORCE INDEX (PRIMARY) WHERE id <= 2 FOR UPDATE",
            in: test.database)
        #expect(try test.claim().map(\.event.aggregateID) == [3, 4, 5])
        try hold.release()
        #expect(try test.claim().map(\.event.aggregateID) == [1, 2])
    }

    @Test func `the longest due is claimed first, and no more than asked for`() throws {
        try test.happen(5)
        try test.dispatchAll()
        try test.execute(
            "UPDATE delivery SET due_at = due_at - INTERVAL id SECOND")
        #expect(try test.claim(.notification, 2).map(\.event.aggregateID) == [5, 4])
        #expect(try test.claim(.notification, 2).map(\.event.aggregateID) == [3, 2])
    }

    @Test func `a delivery is its worker's until the lease ends, and then the next one's`() throws {
        try test.happen(1)
        try test.dispatchAll()
        let first = try test.claim(leaseMilliseconds: 2_000)
        #expect(first.count == 1)
        #expect(try test.claim().isEmpty)
        let second = try #require(
            try eventually { () -> Delivery? in try test.claim().first })
        #expect(second.attempt == 2)
        // The first worker comes back from the dead: its word does not count any more.
        #expect(try deliveries.mark([Mark(first[0], .dead(cause: "late"))]) == 1)
        #expect(try test.count(.pending) == 1)
        #expect(try deliveries.mark([Mark(second, .delivered)]) == 0)
        #expect(try test.count(.delivered) == 1)
    }

    @Test func `nothing is claimed for an endpoint that was switched off a moment ago`() throws {
        let test = test
        let endpoint = try test.addEndpoint()
        try test.happen(1)
        try test.dispatchAll()
        let hold = try Hold(
            "UPDATE webhook_endpoint SET disabled_at = NOW(6), disabled_reason = 'x'",
            in: test.database)
        let claim = Beside { try test.claim(endpoint) }
        try hold.awaitWaiter()
        try hold.release()
        #expect(try claim.value().isEmpty)
        #expect(try test.claim(.notification).count == 1)
    }

    @Test func `targets say what is due, and only those that are on are there`() throws {
        let (busy, idle, off) = (
            try test.addEndpoint(), try test.addEndpoint(), try test.addEndpoint()
        )
        func targets() throws -> [TargetID: Bool] {
            Dictionary(uniqueKeysWithValues: try deliveries.targets().map { ($0.target, $0.isDue) })
        }
        #expect(try targets() == [.notification: false, busy: false, idle: false, off: false])
        try test.happen(1)
        try test.dispatchAll()
        _ = try (test.claim(), test.claim(idle))
        try deliveries.switchOff(off, because: "of the test")
        #expect(try targets() == [.notification: false, busy: true, idle: false])
    }

    // MARK: - Marks

    @Test func `a mark writes what became of the delivery`() throws {
        try test.happen(5)
        try test.dispatchAll()
        let claimed = try test.claim()
        let long = String(repeating: "한", count: 300)
        let verdicts: [Mark.Verdict] = [
            .delivered, .again(afterMilliseconds: 90_000, cause: "503"), .dead(cause: long),
            .canceled(cause: "410"), .givenBack,
        ]
        #expect(try deliveries.mark(zip(claimed, verdicts).map { Mark($0, $1) }) == 0)
        let rows = try test.database.connect().query(
            """
            SELECT CONCAT_WS(' ', state, attempts, due_at > UTC_TIMESTAMP(6) + INTERVAL 80 SECOND,
                finished_at IS NULL, COALESCE(last_error, '-'))
            FROM delivery ORDER BY id
            """
        ) { row throws(DatabaseError) in try row.text(0) }
        #expect(
            rows == [
                "DELIVERED 1 0 0 -", "PENDING 1 1 1 503", "DEAD 1 0 0 \(long.prefix(255))",
                "CANCELED 1 0 0 410", "PENDING 0 0 1 -",
            ])
        #expect(try test.claim().map(\.attempt) == [1])
    }

    @Test func `a mark that is repeated changes nothing more`() throws {
        try test.happen(2)
        try test.dispatchAll()
        let claimed = try test.claim()
        let marks = [Mark(claimed[0], .delivered), Mark(claimed[1], .givenBack)]
        #expect(try deliveries.mark(marks) == 0)
        #expect(try deliveries.mark(marks) == 2)
        #expect(try test.number("SELECT attempts FROM delivery WHERE state = 'PENDING'") == 0)
        #expect(try deliveries.mark([]) == 0)
    }

    @Test func `what an endpoint was still to get is canceled, whoever switched it off`() throws {
        let endpoint = try test.addEndpoint()
        try test.happen(1_500)
        try test.dispatchAll()
        #expect(try deliveries.cancelForSwitchedOff() == 0)
        // As if its own canceling had been interrupted at once.
        try test.execute(
            "UPDATE webhook_endpoint SET disabled_at = NOW(6), disabled_reason = 'x'")
        var count = 0
        while case let canceled = try deliveries.cancelForSwitchedOff(), canceled > 0 {
            count += canceled
        }
        #expect(count == 1_500)
        #expect(try test.count(.canceled, endpoint) == 1_500)
        #expect(try test.count(.pending, .notification) == 1_500)
    }

    @Test func `the backlog counts what waits and what is dead, by target`() throws {
        let endpoint = try test.addEndpoint()
        try test.happen(4)
        try test.dispatchAll()
        let claimed = try test.claim(endpoint)
        try deliveries.mark([
            Mark(claimed[0], .dead(cause: "500")), Mark(claimed[1], .delivered),
        ])
        try test.execute("UPDATE outbox SET created_at = created_at - INTERVAL 90 SECOND")
        let backlogs = try deliveries.backlogs()
        #expect(backlogs.map(\.target) == [.notification, endpoint])
        #expect(backlogs.map(\.pending) == [4, 2])
        #expect(backlogs.map(\.dead) == [0, 1])
        #expect(backlogs.allSatisfy { (90..<120).contains($0.oldestAgeSeconds) })
    }
}
