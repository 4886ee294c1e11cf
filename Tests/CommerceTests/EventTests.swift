import FoundationEssentials
import Testing

@testable import Commerce

@Suite struct Events {
    private let shop = TestShop(
        [user(25, points: 100_000), user(26, points: 0)],
        [product(101, price: 2_000), product(102, price: 500, stock: 3)],
        [placed(7, of: 26, [(101, 2, 1_900), (102, 1, 400)])])
    private let trace = TraceID("4bf92f3577b34da6a3ce929d0e0e4736")

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func `an order that was paid names its buyer, its lines and its total`() throws {
        let order = try order(25, line(101, 2), line(102, 3), paying: 5_500)
        let events = shop.plan(order.traced(trace)).writes.events
        #expect(events.count == 1)
        #expect(events[0].type.rawValue == "order.paid")
        #expect(events[0].aggregate == .order)
        #expect(events[0].aggregateID == 9_001)
        #expect(events[0].version == 1)
        #expect(events[0].traceID == trace)
        #expect(
            text(events[0].payload) == """
                {"orderId":"9001","userId":25,"items":[\
                {"productId":101,"quantity":2,"price":2000},\
                {"productId":102,"quantity":3,"price":500}],"totalPrice":5500}
                """)
    }

    @Test func `an order that was canceled is told as it was paid`() {
        let events = shop.plan(cancel(7, of: 26)).writes.events
        #expect(events.map(\.type.rawValue) == ["order.cancelled"])
        #expect(events[0].aggregate == .order)
        #expect(events[0].aggregateID == 7)
        #expect(events[0].traceID == nil)
        #expect(
            text(events[0].payload) == """
                {"orderId":"7","userId":26,"items":[\
                {"productId":101,"quantity":2,"price":1900},\
                {"productId":102,"quantity":1,"price":400}],"totalPrice":4200}
                """)
    }

    @Test func `a charge is about its user, and tells the balance that it left`() throws {
        let events = shop.plan(try charge(25, 50_000), try charge(25, 1_000)).writes.events
        #expect(events.map(\.type.rawValue) == ["points.charged", "points.charged"])
        #expect(events.allSatisfy { $0.aggregate == .user && $0.aggregateID == 25 })
        #expect(
            events.map { text($0.payload) } == [
                #"{"paymentId":"7001","userId":25,"amount":50000,"balance":150000}"#,
                #"{"paymentId":"7002","userId":25,"amount":1000,"balance":151000}"#,
            ])
    }

    @Test func `what is refused, repeated or in progress is no event`() throws {
        var shop = shop
        let keyed = try order(25, line(101, 1), paying: 2_000, key: "k")
        #expect(shop.plan(keyed, keyed).writes.events.count == 1)
        _ = shop.submit(keyed)
        let plan = shop.plan(
            keyed, try order(25, line(101, 1), paying: 1),
            try order(25, line(102, 4), paying: 2_000),
            try order(26, line(101, 1), paying: 2_000), cancel(8, of: 25),
            try order(25, line(101, 1), paying: 2_000, key: "k", fingerprint: 1))
        #expect(plan.outcomes.allSatisfy { $0.receipt == nil })
        #expect(plan.writes.events.isEmpty)
    }

    @Test func `the envelope is one JSON object around the payload`() throws {
        let id = try #require(UUID(uuidString: "0199E1B4-0000-7000-8000-000000000001"))
        let event = Event(
            id: id, aggregate: .user, aggregateID: 25, type: .pointsCharged,
            payload: Array(#"{"userId":25}"#.utf8),
            createdAt: Moment("2026-01-31 23:59:59.123456"), traceID: trace)
        #expect(
            text(event.envelope) == """
                {"id":"0199e1b4-0000-7000-8000-000000000001","type":"points.charged","version":1,\
                "timestamp":"2026-01-31T23:59:59.123456Z",\
                "traceId":"4bf92f3577b34da6a3ce929d0e0e4736","data":{"userId":25}}
                """)
        let untraced = Event(
            id: id, aggregate: .order, aggregateID: 1, type: .orderPaid, payload: Array("{}".utf8),
            createdAt: Moment("2026-01-31 23:59:59.000000"))
        #expect(text(untraced.envelope).contains(#""traceId":null,"data":{}}"#))
    }

    @Test(arguments: [
        "", "0", String(repeating: "0", count: 32), String(repeating: "a", count: 31),
        String(repeating: "a", count: 33), String(repeating: "A", count: 32),
        "4bf92f3577b34da6a3ce929d0e0e473g", "4bf92f3577b34da6a3ce929d0e0e473\"",
    ])
    func `a trace id is 32 hexadecimal digits in lower case, not all zero`(text: String) {
        #expect(TraceID(text) == nil)
        #expect(TraceID(String(repeating: "0", count: 31) + "1") != nil)
    }
}

extension Command {
    fileprivate func traced(_ trace: TraceID?) -> Command {
        Command(action, idempotency: idempotency, traceID: trace)
    }
}
