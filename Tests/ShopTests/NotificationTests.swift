import Commerce
import Events
import FoundationEssentials
import Glibc
import MariaDB
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

    @Test func `without a database nothing is sent and everything is tried again`() throws {
        try shop.database.connect().execute("DROP TABLE notification")
        let absence = shop.absence(orderEvent(1))
        #expect(absence?.contains("notification") == true)
        #expect(channel.messages.isEmpty)
    }
}

/// The channel of the default run.
@Suite struct NotificationFile {
    private static func lines(of path: String) -> [Substring] {
        contents(of: path).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    }

    @Test func `each message is a line of JSON that only its owner may read`() throws {
        let shop = try NotificationServiceUnderTest { FileChannel(path: "\($0)/n.jsonl") }
        let path = "\(shop.scratch.path)/n.jsonl"
        let event = orderEvent(12)
        #expect(try shop.service.deliver([event]) == [.delivered])
        #expect(
            contents(of: path) == """
                {"eventId":"\(event.id.uuidString.lowercased())","orderId":"12",\
                "phone":"010-1234-4112",\
                "text":"[상점] 주문 12번이 결제되었습니다.\\n- 양배추 샐러드 2개 4,000원\\n\
                결제 금액: 4,000원",\
                "type":"order.paid"}

                """)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        // Moved away, as a rotation does it, it begins anew.
        #expect(rename(path, path + ".1") == 0)
        let events = [orderEvent(13), orderEvent(14)]
        #expect(try shop.service.deliver(events) == [.delivered, .delivered])
        #expect(Self.lines(of: path).count == 2)
    }

    @Test func `a line that was cut off does not swallow the next`() throws {
        let shop = try NotificationServiceUnderTest { FileChannel(path: "\($0)/n.jsonl") }
        let path = "\(shop.scratch.path)/n.jsonl"
        try Data(#"{"eventId":"01"#.utf8).write(to: URL(filePath: path))
        #expect(try shop.service.deliver([orderEvent(1)]) == [.delivered])
        let lines = Self.lines(of: path)
        try #require(lines.count == 2)
        #expect(lines[1].hasPrefix("{") && lines[1].hasSuffix("}"))
    }

    @Test func `a file that cannot be written is away, and named`() throws {
        let shop = try NotificationServiceUnderTest { FileChannel(path: "\($0)/none/n.jsonl") }
        let path = "\(shop.scratch.path)/none/n.jsonl"
        #expect(shop.absence(orderEvent(1)) == "\(path): open: No such file or directory")
        #expect(try shop.noted() == 0)
        let full = try shop.another(over: FileChannel(path: "/dev/full"))
        #expect(
            throws: TargetUnavailable(cause: "/dev/full: write: No space left on device")
        ) {
            try full.deliver([orderEvent(1)])
        }
    }

    @Test func `several processes share a file, and two thousand a second go into it`() throws {
        let shop = try NotificationServiceUnderTest { FileChannel(path: "\($0)/n.jsonl") }
        let path = "\(shop.scratch.path)/n.jsonl"
        let batches = (0..<40).map { batch in
            (0..<250).map { orderEvent(Int64(batch * 250 + $0 + 1)) }
        }
        let (results, seconds) = try timed {
            try inParallel(
                batches.count, threads: 2, {}, { try shop.service.deliver(batches[$1]) })
        }
        #expect(results.allSatisfy { $0.allSatisfy { $0 == .delivered } })
        let lines = Self.lines(of: path)
        #expect(lines.count == 10_000)
        #expect(lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
        #expect(try shop.noted() == 10_000)
        #expect(10_000 / seconds > 2_000, "\(Int(10_000 / seconds)) a second")
    }
}
