import Commerce
import FoundationEssentials
import MariaDB
import Testing

@testable import Store

/// Events as the ledger writes them and as others read them.
@Suite struct Outboxes {
    private let test: LedgerUnderTest

    init() throws {
        test = try LedgerUnderTest()
    }

    private var outbox: Outbox {
        Outbox(pool: Pool(server: test.database.owner, size: 1, waitLimitMilliseconds: 1_000))
    }

    private func ids() throws -> [UUID] {
        try test.database.connect().query("SELECT id FROM outbox ORDER BY id") {
            row throws(DatabaseError) in try row.uuid(0)
        }
    }

    @Test func `a batch writes its events in order, at the time of its orders`() throws {
        let order = try #require(try test.submit(try .order(2, 101)).value().order)
        let results = try test.inOneBatch([
            .order(3, 101, 2), .order(4, 101, 5_000, paying: 10_000_000), .charge(3, 5_000),
            .cancel(order, of: 2), .order(5, 102),
        ])
        let batch = Array(try outbox.events(try ids()).dropFirst(2))  // The one that it waited for.
        try #require(batch.count == 4)
        #expect(
            batch.map(\.type) == [.orderPaid, .pointsCharged, .orderCancelled, .orderPaid])
        #expect(
            batch.map(\.aggregateID) == [
                results[0].order?.number, 3, order.number, results[4].order?.number,
            ])
        #expect(batch.map(\.aggregate) == [.order, .user, .order, .order])
        #expect(batch.allSatisfy { $0.version == 1 })
        let times = try test.database.connect().query(
            "SELECT created_at FROM orders WHERE user_id IN (3, 5)"
        ) { row throws(DatabaseError) in Moment(try row.text(0)) }
        #expect(Set(batch.map(\.createdAt)) == Set(times))
        #expect(
            String(decoding: batch[1].payload, as: UTF8.self).hasSuffix(
                #""userId":3,"amount":5000,"balance":101000}"#))
    }

    @Test func `what is refused or repeated is not told`() throws {
        let charge = try Command.charge(3, 5_000, key: "k")
        #expect(try test.submit(charge).value().isAccepted)
        #expect(try test.submit(charge).value().isReplayed)
        #expect(try test.submit(try .charge(3, 6_000, key: "k")).value().get() == .keyReused)
        #expect(try test.submit(try .order(3, 101, 5_000)).value().refusal != nil)
        #expect(try ids().count == 1)
    }

    @Test func `an event that cannot be written takes its batch along`() throws {
        let owner = try test.database.connect()
        try owner.execute("ALTER TABLE outbox ADD CONSTRAINT no_orders CHECK (aggregate = 'USER')")
        let results = try test.inOneBatch([.order(3, 101), .charge(4, 1_000)])
        #expect(results.map(\.isAccepted) == [false, true])
        #expect(try test.number("SELECT COUNT(*) FROM orders") == 0)
        #expect(try test.points(3) == 100_000)
        #expect(try test.stock(101) == 1_000)
    }

    @Test func `events are found by id, in the order asked for, and others are not`() throws {
        _ = try test.inOneBatch((2...6).map { try .order($0, 101) })
        let shuffled = try ids().shuffled()
        let found = try outbox.events(shuffled + [UUID()])
        #expect(found.map(\.id) == shuffled)
        #expect(try outbox.events([]).isEmpty)
    }

    @Test func `the backlog is what has no deliveries yet`() throws {
        #expect(try outbox.backlog() == Outbox.Backlog(count: 0, oldestAgeSeconds: 0))
        _ = try test.inOneBatch((2...6).map { try .order($0, 101) })
        let owner = try test.database.connect()
        try owner.execute("UPDATE outbox SET created_at = created_at - INTERVAL 1 HOUR LIMIT 1")
        #expect(try outbox.backlog().count == 6)
        #expect((3_600..<3_700).contains(try outbox.backlog().oldestAgeSeconds))
        try owner.execute(
            "UPDATE outbox SET dispatched_at = UTC_TIMESTAMP(6) ORDER BY created_at LIMIT 1")
        #expect(try outbox.backlog().count == 5)
        #expect(try outbox.backlog().oldestAgeSeconds < 60)
    }

    @Test func `ids are of version 7: they ascend, and begin with the time`() throws {
        let ids = UUID.ascending(5_000) + UUID.ascending(10)
        let texts = ids.map(\.uuidString)
        #expect(texts.prefix(5_000).elementsEqual(texts.prefix(5_000).sorted()))
        #expect(Set(ids).count == ids.count)
        #expect(
            ids.allSatisfy { id in
                id.uuid.6 >> 4 == 7 && id.uuid.8 >> 6 == 0b10
            })
        let hexadecimal = texts[0].filter { $0 != "-" }.prefix(12)
        let milliseconds = try #require(UInt64(hexadecimal, radix: 16))
        let now = try test.number("SELECT UNIX_TIMESTAMP()")
        #expect(abs(Int64(milliseconds / 1_000) - now) < 60)
    }
}

/// Whose request an event comes from.
@Suite struct Traces {
    @Test func `an event bears the client's trace, or the number of its request`() throws {
        let shop = try Shop()
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        let good = "00-\(trace)-00f067aa0ba902b7-01"
        let bad = [
            "00-\(trace)-00f067aa0ba902b7", "01-\(trace)-00f067aa0ba902b7-01",
            "00-\(trace)-0000000000000000-01", "00-\(trace)-00f067aa0ba902b7-01-x",
            "00-\(String(repeating: "0", count: 32))-00f067aa0ba902b7-01",
            "00-\(trace.uppercased())-00f067aa0ba902b7-01", "00-\(trace)-00f067aa0ba902bZ-01",
        ]
        let post = { (path: String, body: String, key: String, traceparent: String) in
            try shop.request(
                "POST", path, ["traceparent": traceparent, "Idempotency-Key": key],
                body: Array(body.utf8))
        }
        let ordered = try post("/api/v1/orders", order(25, [(101, 1)], paying: 2_000), "a", good)
        let id = try #require(ordered.orderID)
        #expect(try post("/api/v1/orders/\(id)/cancel", "", "b", good).status == 200)
        var expected = [trace, trace]
        for (number, traceparent) in bad.enumerated() {
            let answer = try post(
                "/api/v1/users/25/charge", charge(1_000), "\(number)", traceparent)
            #expect(answer.status == 200)
            expected.append(try #require(answer["X-Request-Id"]))
        }
        let traces = try shop.database.connect().query("SELECT trace_id FROM outbox ORDER BY id") {
            row throws(DatabaseError) in try row.text(0)
        }
        #expect(traces == expected)
    }
}
