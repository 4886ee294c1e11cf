import AMQP
import Glibc
import Testing
import Threads

/// A peer at RabbitMQ's port may say anything: an error ends the connection, and nothing else
/// happens.
@Suite struct BrokerAnswers {
    private static let publishing = BrokerBytes.login + BrokerBytes.confirms
    private static let consuming = BrokerBytes.login + BrokerBytes.consumes

    private static let nonsense: [String: [UInt8]] = [
        "nothing": [],
        "a header of no message": BrokerBytes.header(bodyBytes: 3),
        "a header of another class": BrokerBytes.header(ofClass: 10, bodyBytes: 3),
        "a header on another channel": BrokerBytes.header(bodyBytes: 3, channel: 7),
        "a confirm on another channel": BrokerBytes.method(
            60, 80, BrokerBytes.number(1, bytes: 8) + [0], channel: 65_535),
        "a frame of another kind": BrokerBytes.frame(9, [1, 2, 3]),
        "a method without a number": BrokerBytes.frame(1, []),
        "a header without a class": BrokerBytes.frame(2, []),
        "a method that there is not": BrokerBytes.method(60, 999, [1, 2, 3]),
        "a class that there is not": BrokerBytes.method(999, 10, []),
        "a confirm that is cut": BrokerBytes.method(60, 80, [0, 0]),
        "a frame without an end": Array(BrokerBytes.confirm(1).dropLast()) + [0],
        "a frame longer than any": [1, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0],
        "a key that ends nowhere": BrokerBytes.method(60, 60, [255, 0x63]),
        "text": Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8),
        "the end of the channel": BrokerBytes.method(20, 40, [1, 144, 0, 0, 0, 0, 0]),
        "the end of the connection": BrokerBytes.method(
            10, 50, [1, 64, 0, 0, 0, 0, 0], channel: 0),
        "properties that nest": BrokerBytes.header(
            bodyBytes: 0, properties: [0x20, 0] + BrokerBytes.nest(26_000)),
    ]

    private static let confirms: [String: [UInt8]] = [
        "of 2^63": BrokerBytes.confirm(1 << 63),
        "of 2^64 - 1": BrokerBytes.confirm(.max),
        "of all up to 2^63": BrokerBytes.confirm(1 << 63, multiple: true),
        "of all up to 2^64 - 1": BrokerBytes.confirm(.max, multiple: true, isAck: false),
        "of one that was not sent": BrokerBytes.confirm(3),
        "of all up to one that was not sent": BrokerBytes.confirm(3, multiple: true),
        "of none": BrokerBytes.confirm(0),
        "of none, negative": BrokerBytes.confirm(0, isAck: false),
    ]

    private static let messages: [String: [UInt8]] = [
        "a message amid another": BrokerBytes.deliver(1) + BrokerBytes.deliver(2),
        "a body without a header": BrokerBytes.deliver(1) + BrokerBytes.body([1]),
        "a body without a message": BrokerBytes.body([1]),
        "two headers": BrokerBytes.deliver(1) + BrokerBytes.header(bodyBytes: 1)
            + BrokerBytes.header(bodyBytes: 1),
        "a body longer than its header says": BrokerBytes.deliver(1)
            + BrokerBytes.header(bodyBytes: 1) + BrokerBytes.body([1, 2]),
        "a body of 2^64 - 1 bytes": BrokerBytes.deliver(1) + BrokerBytes.header(bodyBytes: .max)
            + BrokerBytes.body([1, 2]),
        "a message that breaks off": BrokerBytes.deliver(1) + BrokerBytes.header(bodyBytes: 9)
            + BrokerBytes.body([1, 2]),
    ]

    /// Two messages that are published to whoever says this.
    private static func outcomes(_ bytes: [UInt8]) throws -> [Publisher.Outcome] {
        let broker = try BrokerStandIn(saying: publishing + bytes)
        let publisher = try Publisher(Connection(to: Broker(url: broker.url)))
        let messages = ["one", "two"].map { id in
            let message = Message(id: id, contentType: "text/plain", timestamp: 0, body: [1])
            return (message: message, key: "order.paid", isMandatory: true)
        }
        let outcomes = publisher.publish(messages, to: "exchange", withinMilliseconds: 5_000)
        #expect(publisher.isUsable == outcomes.allSatisfy { $0 == .confirmed })
        return outcomes
    }

    /// On a thread like those of the shop.
    private static func onAThread<T: Sendable>(
        _ body: @escaping @Sendable () throws -> T
    ) throws -> T {
        let result = Shared<Result<T, any Error>?>(nil)
        WorkerThread(stackBytes: AMQP.Connection.stackBytes) {
            let made = Result { try body() }
            result.withLock { $0 = made }
        }.join()
        return try #require(result.withLock { $0 }).get()
    }

    @Test func `a stand-in that confirms is believed`() throws {
        for bytes in [
            BrokerBytes.confirm(1) + BrokerBytes.confirm(2),
            BrokerBytes.confirm(2, multiple: true), BrokerBytes.confirm(0, multiple: true),
        ] {
            #expect(try Self.outcomes(bytes) == [.confirmed, .confirmed])
        }
    }

    @Test(arguments: Array(nonsense.merging(confirms) { $1 }.keys))
    func `a frame that a publisher cannot make sense of ends its connection`(name: String) throws {
        let bytes = try #require(Self.nonsense[name] ?? Self.confirms[name])
        let outcomes = try Self.onAThread { try Self.outcomes(bytes) }
        #expect(outcomes.count == 2)
        for outcome in outcomes {
            guard case .unknown = outcome else {
                Issue.record("\(outcome)")
                continue
            }
        }
    }

    @Test(arguments: Array(nonsense.merging(messages) { $1 }.keys))
    func `a frame that a consumer cannot make sense of ends its connection`(name: String) throws {
        let bytes = try #require(Self.nonsense[name] ?? Self.messages[name])
        let broker = try BrokerStandIn(saying: Self.consuming + bytes)
        #expect(throws: AMQPError.self) {
            try Self.onAThread {
                let connection = try Connection(to: Broker(url: broker.url))
                let consumer = try Consumer(connection, of: "queue", prefetch: 10)
                let deliveries = try consumer.receive(5, withinMilliseconds: 5_000)
                Issue.record("\(deliveries)")
            }
        }
    }

    @Test(arguments: Array(nonsense.keys))
    func `a login that makes no sense fails`(name: String) throws {
        let bytes = try #require(Self.nonsense[name])
        let broker = try BrokerStandIn()
        let start = BrokerBytes.method(
            10, 10,
            [0, 9] + BrokerBytes.nest(10_000) + BrokerBytes.longText("PLAIN")
                + BrokerBytes.longText("en_US"), channel: 0)
        for said in [bytes, start + bytes, BrokerBytes.login.dropLast(12) + bytes] {
            broker.say(said)
            #expect(throws: AMQPError.self) {
                try Self.onAThread { _ = try Connection(to: Broker(url: broker.url)) }
            }
        }
    }
}
