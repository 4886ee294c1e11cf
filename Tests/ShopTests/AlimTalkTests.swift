import Commerce
import Events
import FoundationEssentials
import HTTPReceiver
import MariaDB
import Synchronization
import Testing

/// Notifications through a gateway, for which a real HTTP server stands.
@Suite struct AlimTalk {
    private static func channel(_ url: String, totalMilliseconds: Int = 5_000) -> AlimTalkChannel {
        AlimTalkChannel(
            AlimTalkChannel.Gateway(url: url, token: "t0ken", template: "ORDER_1"),
            client: AlimTalkChannel.client(totalMilliseconds: totalMilliseconds))
    }

    private static func shop(
        _ receiver: Receiver, totalMilliseconds: Int = 5_000
    ) throws -> NotificationServiceUnderTest {
        try NotificationServiceUnderTest { _ in
            channel("\(receiver.url)/send", totalMilliseconds: totalMilliseconds)
        }
    }

    @Test func `a message is one authorised request that names the event`() throws {
        let receiver = try Receiver { _ in .answer(202) }
        let shop = try Self.shop(receiver)
        let event = orderEvent(1, items: [(101, 2, 2_000), (102, 3, 2_000)])
        #expect(try shop.service.deliver([event]) == [.delivered])
        let arrival = try #require(receiver.arrivals(1)?.first)
        let id = event.id.lowercased
        #expect(arrival.method == "POST" && arrival.path == "/send")
        #expect(arrival.headers["authorization"] == "Bearer t0ken")
        #expect(arrival.headers["idempotency-key"] == id)
        #expect(arrival.headers["content-type"] == "application/json")
        let text =
            "[상점] 주문 1번이 결제되었습니다.\\n- 양배추 샐러드 2개 4,000원"
            + "\\n- 단호박 샐러드 3개 6,000원\\n결제 금액: 10,000원"
        #expect(
            String(decoding: arrival.body, as: UTF8.self) == """
                {"messageId":"\(id)","templateCode":"ORDER_1","text":"\(text)",\
                "to":"01012344112","variables":{"items":"양배추 샐러드 외 1건",\
                "orderId":"1","total":"10,000"}}
                """)
    }

    @Test func `each answer of the gateway means what HTTP says`() throws {
        let retry = ["Retry-After": "7"]
        let cases: [(Receiver.Reaction, DeliveryResult)] = [
            (.answer(200), .delivered),
            (.answer(400), .rejected(cause: "the gateway answered 400")),
            (.answer(404), .rejected(cause: "the gateway answered 404")),
            (
                .answer(429, headers: retry),
                .failed(cause: "the gateway answered 429", retryAfterSeconds: 7)
            ),
            (.answer(500), .failed(cause: "the gateway answered 500", retryAfterSeconds: nil)),
            (
                .answer(503, headers: retry),
                .failed(cause: "the gateway answered 503", retryAfterSeconds: 7)
            ),
            (.answer(301), .failed(cause: "the gateway answered 301", retryAfterSeconds: nil)),
        ]
        // The first message gets the first answer: each names its order.
        let receiver = try Receiver { arrival in
            let text = String(decoding: arrival.body, as: UTF8.self)
            let order = cases.indices.first { text.contains("\"orderId\":\"\($0 + 1)\"") }
            return cases[order ?? 0].0
        }
        let shop = try Self.shop(receiver)
        let events = cases.indices.map { orderEvent(Int64($0) + 1) }
        #expect(try shop.service.deliver(events) == cases.map(\.1))
        #expect(try shop.noted() == 1)
    }

    @Test func `a gateway that hangs or breaks off holds up nobody for long`() throws {
        let receiver = try Receiver { arrival in
            let text = String(decoding: arrival.body, as: UTF8.self)
            if text.contains("\"orderId\":\"1\"") { return .hang }
            return text.contains("\"orderId\":\"2\"") ? .reset : .answer(200)
        }
        let shop = try Self.shop(receiver, totalMilliseconds: 500)
        let (results, seconds) = try timed {
            try shop.service.deliver([orderEvent(1), orderEvent(2), orderEvent(3)])
        }
        #expect(seconds < 15)
        let cause = "the gateway: no answer within 500 ms"
        #expect(results[0] == .failed(cause: cause, retryAfterSeconds: nil))
        guard case .failed(_, nil) = results[1] else {
            Issue.record("\(results[1])")
            return
        }
        #expect(results[2] == .delivered)
    }

    @Test func `a gateway that is not there, or does not know us, costs no attempt`() throws {
        let nobody = try NotificationServiceUnderTest { _ in
            Self.channel("http://127.0.0.1:\(try freePort())/")
        }
        let absence = nobody.absence(orderEvent(1)) ?? ""
        #expect(absence.hasPrefix("the AlimTalk gateway: no connection"))

        for status in [401, 403] {
            let receiver = try Receiver { _ in .answer(status) }
            let shop = try Self.shop(receiver)
            let absence = shop.absence(orderEvent(1))
            #expect(
                absence == "the AlimTalk gateway: answered \(status): is the token right?")
            #expect(try shop.noted() == 0)
        }
    }

    @Test func `every way to write a number reaches the gateway as digits`() throws {
        let receiver = try Receiver()
        let shop = try Self.shop(receiver)
        let written = [
            "+82-10-0000-0072", "82 10 0000 0072", "0082-10-0000-0072", "０１０－００００－００７２",
            "010.0000.0072",
        ]
        let connection = try shop.database.connect()
        for (index, number) in written.enumerated() {
            try connection.execute(
                "UPDATE users SET hp_no = ? WHERE id = ?",
                [.text(number), .integer(Int64(index + 31))])
        }
        let events = written.indices.map { orderEvent(Int64($0), user: Int64($0 + 31)) }
        #expect(try shop.service.deliver(events).allSatisfy { $0 == .delivered })
        for arrival in receiver.arrivals {
            let text = String(decoding: arrival.body, as: UTF8.self)
            #expect(text.contains(#""to":"01000000072""#), "\(text)")
        }
    }

    @Test func `a number that is none is rejected by itself, without asking the gateway`() throws {
        let receiver = try Receiver()
        let shop = try Self.shop(receiver)
        try shop.database.connect().execute(
            "UPDATE users SET hp_no = CASE id WHEN 31 THEN '없음' ELSE '+1 415 555 0100' END "
                + "WHERE id IN (31, 33)")
        let events = (31...34).map { orderEvent(Int64($0), user: Int64($0)) }
        func rejected(_ user: Int) -> DeliveryResult {
            .rejected(cause: "the phone number of user \(user) is no Korean one")
        }
        #expect(
            try shop.service.deliver(events) == [
                rejected(31), .delivered, rejected(33), .delivered,
            ])
        #expect(receiver.arrivals.count == 2)
        #expect(try shop.service.deliver([events[0]]) == [rejected(31)])
    }

    @Test func `a text goes out composed and no longer than the provider takes`() throws {
        let receiver = try Receiver()
        let shop = try Self.shop(receiver)
        let connection = try shop.database.connect()
        let family = "👨‍👩‍👧‍👦"
        for (product, name) in [
            (101, String(repeating: "한", count: 66)), (102, String(repeating: family, count: 28)),
        ] {
            try connection.execute(
                "UPDATE product SET name = ? WHERE id = ?",
                [.text(name), .integer(Int64(product))])
        }
        try connection.execute(
            "UPDATE product p JOIN product q ON q.id = 102 SET p.name = q.name WHERE p.id > 102")
        let items = [102, 101, 103, 104, 105, 106, 107, 108].map {
            (product: $0, quantity: Int64(1), price: Int64(1_000))
        }
        #expect(try shop.service.deliver([orderEvent(1, items: items)]) == [.delivered])
        let body = try #require(receiver.arrivals.first?.body)
        struct Message: Decodable { let text: String }
        let text = try JSONDecoder().decode(Message.self, from: Data(body)).text
        #expect(text.utf16.count <= 1_000)
        #expect(!text.unicodeScalars.contains { (0x1100...0x11FF).contains($0.value) })
        #expect(text.contains("\n- \(family)") && text.hasSuffix("건\n결제 금액: 8,000원"))
    }

    @Test func `a gateway whose answer breaks off has taken the message`() throws {
        let receiver = try Receiver { _ in
            .bytes("HTTP/1.1 202 So\r\nContent-Length: 100\r\n\r\nten bytes.")
        }
        let shop = try Self.shop(receiver)
        #expect(try shop.service.deliver([orderEvent(1)]) == [.delivered])
        #expect(try shop.noted() == 1)
    }
}
