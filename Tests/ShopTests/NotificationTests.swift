import Commerce
import Events
import FoundationEssentials
import Logging
import MariaDB
import Store
import Testing

/// Buyers are told of their orders, and of nothing twice.
@Suite struct Notifying {
    private let channel = RecordingChannel()
    private let shop: NotificationServiceUnderTest

    init() throws {
        let channel = channel
        shop = try NotificationServiceUnderTest { _ in channel }
    }

    @Test func `a message names the order, its items and the total`() throws {
        let results = try shop.service.deliver([
            orderEvent(7, items: [(101, 2, 2_000), (102, 1_000, 2_500)]),
            orderEvent(8, type: .orderCancelled, user: 26),
        ])
        #expect(results == [.delivered, .delivered])
        let messages = channel.messages.sorted { $0.orderID < $1.orderID }
        try #require(messages.count == 2)
        #expect(messages[0].phone == "010-1234-4112")
        #expect(
            messages[0].text == """
                [상점] 주문 7번이 결제되었습니다.
                - 양배추 샐러드 2개 4,000원
                - 단호박 샐러드 1000개 2,500,000원
                결제 금액: 2,504,000원
                """)
        #expect(
            messages[1].text == """
                [상점] 주문 8번이 취소되었습니다.
                - 양배추 샐러드 2개 4,000원
                환불 금액: 4,000원
                """)
    }

    @Test func `a message is no longer than an AlimTalk may be`() throws {
        try shop.database.connect().execute("UPDATE product SET name = REPEAT('긴', 200)")
        let items = (101...105).map { (product: $0, quantity: Int64(1), price: Int64(1_000)) }
        #expect(try shop.service.deliver([orderEvent(1, items: items)]) == [.delivered])
        let text = try #require(channel.messages.first).text
        #expect(text.count <= 1_000)
        #expect(text.hasSuffix("\n- 외 1건\n결제 금액: 5,000원"))
    }

    @Test func `other events are delivered without a message`() throws {
        let charged = event(
            .pointsCharged, of: 25, #"{"paymentId":1,"userId":25,"amount":1000,"balance":2000}"#)
        let results = try shop.service.deliver([charged, orderEvent(1)])
        #expect(results == [.delivered, .delivered])
        #expect(channel.messages.count == 1)
        #expect(try shop.noted() == 1)
    }

    @Test func `an event that comes again makes no second message`() throws {
        let (first, second) = (orderEvent(1), orderEvent(2))
        #expect(try shop.service.deliver([first, first]) == [.delivered, .delivered])
        #expect(try shop.service.deliver([second, first]) == [.delivered, .delivered])
        // Another process, later, has nothing but the table.
        let later = RecordingChannel()
        let other = try shop.another(over: later)
        #expect(try other.deliver([first, second]) == [.delivered, .delivered])
        #expect(channel.messages.map(\.orderID.number).sorted() == [1, 2])
        #expect(later.messages.isEmpty)
        #expect(try shop.noted() == 2)
    }

    @Test func `what the channel did not take is not noted and comes again`() throws {
        let failing = RecordingChannel { message in
            switch message.orderID.number {
            case 1: .delivered
            case 2: .failed(cause: "busy", retryAfterSeconds: 7)
            default: .rejected(cause: "no such phone")
            }
        }
        let service = try shop.another(over: failing)
        let events = [orderEvent(3), orderEvent(1), orderEvent(2)]
        #expect(
            try service.deliver(events) == [
                .rejected(cause: "no such phone"), .delivered,
                .failed(cause: "busy", retryAfterSeconds: 7),
            ])
        #expect(try shop.noted() == 1)
        #expect(try shop.service.deliver(events) == [.delivered, .delivered, .delivered])
        #expect(channel.messages.map(\.orderID.number).sorted() == [2, 3])
    }

    @Test func `an event that no order has is rejected and stops no other`() throws {
        let odd = [
            "", "[]", "{}", #"{"orderId":1,"userId":25,"items":[],"totalPrice":0}"#,
            #"{"orderId":"x","userId":25,"items":[],"totalPrice":0}"#,
            #"{"orderId":"1","userId":25,"items":[{"productId":1,"quantity":9000000000,"#
                + #""price":9000000000}],"totalPrice":0}"#,
        ].map { event(.orderPaid, of: 1, $0) }
        let stranger = orderEvent(2, user: 999)
        let results = try shop.service.deliver(odd + [stranger, orderEvent(3)])
        for result in results.dropLast(2) {
            #expect(result == .rejected(cause: "the payload is none of order.paid"))
        }
        #expect(results.suffix(2) == [.rejected(cause: "there is no user 999"), .delivered])
        #expect(channel.messages.map(\.orderID.number) == [3])
    }

    @Test func `four hundred orders of a hundred products each are told`() throws {
        let events = (0..<400).map { order in
            orderEvent(
                Int64(order + 1),
                items: (1...100).map { (product: order * 100 + $0, quantity: 1, price: 100) })
        }
        #expect(try shop.service.deliver(events).allSatisfy { $0 == .delivered })
        #expect(channel.messages.count == 400)
    }

    @Test func `an event that the database refuses fails by itself, and stops no other`() throws {
        let connection = try shop.database.connect()
        try connection.execute("RENAME TABLE product TO all_products")
        try connection.execute(
            """
            CREATE VIEW product AS SELECT id, price, version, is_delete,
                IF(id IN (104, 108), (SELECT 1 UNION SELECT 2), name) AS name FROM all_products
            """)
        let events = (101...108).map { orderEvent(Int64($0), items: [($0, 1, 1_000)]) }
        let results = try shop.service.deliver(events)
        for (product, result) in zip(101...108, results) {
            switch result {
            case .delivered: #expect(product % 4 != 0)
            case .failed(let cause, nil): #expect(product % 4 == 0 && cause.contains("1242"))
            default: Issue.record("\(product): \(result)")
            }
        }
        #expect(channel.messages.map(\.orderID.number).sorted() == [101, 102, 103, 105, 106, 107])
        #expect(try shop.noted() == 6)
    }

    @Test func `without a database nothing is sent and no event counts as attempted`() throws {
        let server = Server(
            address: .socket(path: "\(shop.scratch.path)/none.sock"), user: "u", password: "p",
            database: "d")
        let service = NotificationService(
            Notifications(pool: Pool(server: server, size: 1, waitLimitMilliseconds: 1_000)),
            over: channel, logger: Logger(label: "test"))
        #expect(throws: TargetUnavailable.self) { try service.deliver([orderEvent(1)]) }
        #expect(channel.messages.isEmpty)
    }
}
