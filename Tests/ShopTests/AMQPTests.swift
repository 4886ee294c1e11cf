import AMQP
import Glibc
import Testing

/// Messages through a real RabbitMQ, each test with an exchange and a queue of its own.
@Suite struct Broking {
    private let broker: TestBroker
    private let exchange = TestRun.freshName("exchange")
    private let queue = TestRun.freshName("queue")

    init() throws { broker = try TestBroker.shared.get() }

    private func message(_ id: String, _ body: String = "{}") -> Message {
        Message(
            id: id, contentType: "application/json", timestamp: 1_700_000_000,
            headers: ["traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
            body: Array(body.utf8))
    }

    private func publisher(
        binding pattern: String? = "order.*", arguments: [QueueArgument] = []
    ) throws -> Publisher {
        let connection = try broker.connect()
        try connection.declareTopicExchange(exchange)
        try connection.declareQuorumQueue(queue, arguments)
        if let pattern { try connection.bind(queue, to: exchange, pattern: pattern) }
        return try Publisher(connection)
    }

    private func consumer(prefetch: UInt16 = 100) throws -> Consumer {
        try Consumer(try broker.connect(), of: queue, prefetch: prefetch)
    }

    private func publish(
        _ messages: [Message], by publisher: Publisher, key: String = "order.paid",
        isMandatory: Bool = true, milliseconds: Int = 10_000
    ) -> [Publisher.Outcome] {
        publisher.publish(
            messages.map { (message: $0, key: key, isMandatory: isMandatory) }, to: exchange,
            withinMilliseconds: milliseconds)
    }

    /// Receives until there are so many.
    private func receive(_ count: Int, by consumer: Consumer) throws -> [Consumer.Delivery] {
        var deliveries: [Consumer.Delivery] = []
        while deliveries.count < count {
            let more = try consumer.receive(count - deliveries.count, withinMilliseconds: 10_000)
            if more.isEmpty { break }
            deliveries += more
        }
        return deliveries
    }

    @Test func `a message arrives as it was sent`() throws {
        let publisher = try publisher()
        let sent = message("one", #"{"name":"김테스트"}"#)
        #expect(publish([sent], by: publisher) == [.confirmed])
        let delivery = try #require(try receive(1, by: consumer()).first)
        #expect(delivery.message == sent)
        #expect(delivery.key == "order.paid")
        #expect(!delivery.isRedelivered)
    }

    @Test func `bodies of every size arrive whole`() throws {
        let publisher = try publisher()
        // A frame has 128 KiB; a body has none, one or several.
        let sizes = [0, 1, 131_064, 131_065, 400_000]
        let messages = sizes.map { message("\($0)", String(repeating: "x", count: $0)) }
        let outcomes = publish(messages, by: publisher)
        #expect(outcomes.allSatisfy { $0 == .confirmed })
        let deliveries = try receive(sizes.count, by: consumer())
        #expect(deliveries.map(\.message.body.count) == sizes)
    }

    @Test func `a thousand are confirmed at once and arrive in order`() throws {
        let publisher = try publisher()
        let messages = (0..<1_000).map { message("\($0)") }
        let outcomes = publish(messages, by: publisher)
        #expect(outcomes.count == 1_000 && outcomes.allSatisfy { $0 == .confirmed })
        let consumer = try consumer()
        var received: [String] = []
        while received.count < 1_000 {
            let deliveries = try consumer.receive(64, withinMilliseconds: 10_000)
            try #require(!deliveries.isEmpty)
            for delivery in deliveries { try consumer.acknowledge(delivery) }
            received += deliveries.map(\.message.id)
        }
        #expect(received == messages.map(\.id))
    }

    @Test func `a message that no queue takes comes back, and only that one`() throws {
        let publisher = try publisher(binding: "order.paid")
        let messages: [(message: Message, key: String, isMandatory: Bool)] = [
            (message("1"), "order.paid", true), (message("2"), "order.lost", true),
            (message("3"), "order.paid", true), (message("4"), "order.lost", false),
        ]
        let outcomes = publisher.publish(messages, to: exchange, withinMilliseconds: 10_000)
        #expect(
            outcomes == [.confirmed, .returned("312 NO_ROUTE"), .confirmed, .confirmed])
        #expect(publisher.isUsable)
        #expect(try receive(2, by: consumer()).map(\.message.id) == ["1", "3"])
    }

    @Test func `a whole batch that comes back blocks nobody`() throws {
        let publisher = try publisher(binding: nil)
        let body = String(repeating: "x", count: 2_000)
        let outcomes = publish((0..<2_000).map { message("\($0)", body) }, by: publisher)
        #expect(outcomes.count == 2_000)
        #expect(outcomes.allSatisfy { $0 == .returned("312 NO_ROUTE") })
    }

    @Test func `an exchange that is not there ends the connection with the reason`() throws {
        let publisher = try publisher()
        let outcomes = publisher.publish(
            [(message("1"), "order.paid", true)], to: "nowhere", withinMilliseconds: 10_000)
        guard case .unknown(let error)? = outcomes.first else {
            Issue.record("\(outcomes)")
            return
        }
        #expect(error.kind == .refused && error.description.contains("NOT_FOUND"))
        #expect(!publisher.isUsable)
        guard case .unknown = publish([message("2")], by: publisher).first else {
            Issue.record("a broken connection was used again")
            return
        }
    }

    @Test func `what is not acknowledged comes again`() throws {
        let publisher = try publisher()
        #expect(publish([message("1"), message("2")], by: publisher) == [.confirmed, .confirmed])
        do {
            let first = try consumer()
            let deliveries = try receive(2, by: first)
            try first.acknowledge(deliveries[0])
        }
        let again = try receive(1, by: consumer())
        #expect(again.map(\.message.id) == ["2"])
        #expect(again.map(\.isRedelivered) == [true])
    }

    @Test func `no more than the prefetch is on the way`() throws {
        let publisher = try publisher()
        _ = publish((0..<10).map { message("\($0)") }, by: publisher)
        let consumer = try consumer(prefetch: 3)
        let first = try receive(3, by: consumer)
        #expect(first.count == 3)
        #expect(try consumer.receive(10, withinMilliseconds: 200).isEmpty)
        try consumer.acknowledge(first[0])
        #expect(try receive(1, by: consumer).map(\.message.id) == ["3"])
    }

    @Test func `a rejected message is among the dead, with the delivery limit's`() throws {
        let dead = queue + ".dead"
        let connection = try broker.connect()
        try connection.declareQuorumQueue(dead)
        let publisher = try publisher(arguments: [
            .number("x-delivery-limit", 2), .text("x-dead-letter-exchange", ""),
            .text("x-dead-letter-routing-key", dead),
        ])
        _ = publish([message("odd"), message("poison")], by: publisher)
        let consumer = try consumer()
        let first = try receive(2, by: consumer)
        try consumer.reject(first[0], requeue: false)
        try consumer.reject(first[1], requeue: true)
        for _ in 1...2 {
            let again = try receive(1, by: consumer)
            #expect(again.map(\.message.id) == ["poison"])
            try consumer.reject(again[0], requeue: true)
        }
        let graves = try Consumer(try broker.connect(), of: dead, prefetch: 10)
        #expect(try receive(2, by: graves).map(\.message.id) == ["odd", "poison"])
    }

    @Test func `a consumer whose queue is deleted learns of it`() throws {
        _ = try publisher()
        let consumer = try consumer()
        try broker.connect().deleteQueue(queue)
        #expect {
            _ = try consumer.receive(1, withinMilliseconds: 10_000)
        } throws: { error in
            (error as? AMQPError)?.kind == .refused
        }
    }

    @Test func `a queue with other arguments is refused in the broker's words`() throws {
        _ = try publisher()
        let connection = try broker.connect()
        #expect {
            try connection.declareQuorumQueue(queue, [.number("x-delivery-limit", 7)])
        } throws: { error in
            "\(error)".contains("PRECONDITION_FAILED")
        }
    }

    @Test func `a wrong password is refused and not repeated`() throws {
        let broker = try Broker(url: "amqp://guest:s%C3%A9cret@127.0.0.1:\(broker.port)")
        #expect {
            _ = try Connection(to: broker)
        } throws: { error in
            (error as? AMQPError)?.kind == .refused && !"\(error)".contains("cret")
        }
    }

    @Test func `a URL names a broker, or is refused`() throws {
        for url in [
            "amqp://localhost", "amqps://a:b@host", "amqp://a@host",
            "amqp://host:5672/a%2Fb", "amqp://[::1]:5672/", "amqp://u%40x:p%3A%2F%40@h/v",
        ] {
            #expect(throws: Never.self, "\(url)") { try Broker(url: url) }
        }
        for url in [
            "", "amqp", "amqp://", "amqp://:5672", "http://host", "amqp://host:0",
            "amqp://host:65536", "amqp://host:x", "amqp://a:%00b@host", "amqp://host?x=1",
        ] {
            #expect(throws: Broker.InvalidURL.self, "\(url)") { try Broker(url: url) }
        }
        let broker = try Broker(url: "amqps://user:secret@host:1234/v")
        #expect("\(broker)" == "host:1234")
    }

    @Test func `nobody at the port is an error at once`() throws {
        let broker = try Broker(url: "amqp://127.0.0.1:\(try freePort())")
        let (kind, seconds) = timed { Self.kind { _ = try Connection(to: broker) } }
        #expect(kind == .unreachable)
        #expect(seconds < 15)
    }

    @Test func `a broker that takes connections and says nothing is given up`() throws {
        let silent = try SilentPort()
        for scheme in ["amqp", "amqps"] {
            var broker = try Broker(url: "\(scheme)://127.0.0.1:\(silent.port)")
            broker.connectSeconds = 1
            broker.answerSeconds = 1
            let (kind, seconds) = timed { Self.kind { _ = try Connection(to: broker) } }
            #expect(kind == .unreachable, "\(scheme)")
            #expect((0.9..<5).contains(seconds), "\(scheme) \(seconds)")
        }
    }

    @Test func `amqps trusts only a broker that is who it should be`() throws {
        let tls = try TLSPort(before: broker.port)
        var trusting = try Broker(url: "amqps://localhost:\(tls.port)")
        trusting.certificateAuthorities = tls.authority
        let connection = try Connection(to: trusting)
        try connection.declareQuorumQueue(queue)
        #expect(try connection.messageCount(of: queue) == 0)

        // The system's authorities do not know who signed it.
        let stranger = try Broker(url: "amqps://localhost:\(tls.port)")
        #expect(Self.kind { _ = try Connection(to: stranger) } == .unreachable)
        // It is localhost's, whatever the address.
        var other = try Broker(url: "amqps://127.0.0.1:\(tls.port)")
        other.certificateAuthorities = tls.authority
        #expect {
            _ = try Connection(to: other)
        } throws: { error in
            "\(error)".contains("hostname")
        }
        var missing = trusting
        missing.certificateAuthorities = "/nonexistent.pem"
        #expect {
            _ = try Connection(to: missing)
        } throws: { error in
            "\(error)".contains("/nonexistent.pem")
        }
    }

    private static func kind(_ body: () throws -> Void) -> AMQPError.Kind? {
        do {
            try body()
            return nil
        } catch {
            return (error as? AMQPError)?.kind
        }
    }
}

/// Outages, each test with a broker of its own.
@Suite struct BrokerOutages {
    private static func message(_ id: Int) -> (message: Message, key: String, isMandatory: Bool) {
        let message = Message(
            id: "\(id)", contentType: "text/plain", timestamp: 0, body: Array("x".utf8))
        return (message, "order.paid", true)
    }

    private static func prepare(_ broker: TestBroker) throws -> Publisher {
        let connection = try broker.connect()
        try connection.declareTopicExchange("e")
        try connection.declareQuorumQueue("q")
        try connection.bind("q", to: "e", pattern: "order.*")
        return try Publisher(connection)
    }

    @Test func `what was confirmed before a kill is there after it`() throws {
        let broker = try TestBroker()
        _ = try Self.prepare(broker)
        try broker.settle()
        let confirmed = Shared<Set<String>>([])
        let load = Beside {
            let prepared = eventually(within: 60) { try? Self.prepare(broker) }
            guard let publisher = prepared else { throw Failure("the queue is not back") }
            var next = 0
            while publisher.isUsable {
                let batch = (next..<(next + 200)).map(Self.message)
                next += 200
                let outcomes = publisher.publish(batch, to: "e", withinMilliseconds: 5_000)
                for (sent, outcome) in zip(batch, outcomes) where outcome == .confirmed {
                    confirmed.withLock { _ = $0.insert(sent.message.id) }
                }
            }
            return next
        }
        let isUnderWay = eventually { confirmed.withLock { $0.count } > 2_000 ? true : nil }
        #expect(isUnderWay != nil)
        broker.killNow()
        let sent = try load.value()
        try broker.restart()

        // A quorum queue needs a moment to choose its leader.
        let recovered = eventually(within: 60) {
            try? Consumer(try broker.connect(), of: "q", prefetch: 1_000)
        }
        let consumer = try #require(recovered)
        var arrived: Set<String> = []
        while true {
            let deliveries = try consumer.receive(500, withinMilliseconds: 2_000)
            if deliveries.isEmpty { break }
            for delivery in deliveries {
                arrived.insert(delivery.message.id)
                try consumer.acknowledge(delivery)
            }
        }
        let promised = confirmed.withLock { $0 }
        #expect(promised.isSubset(of: arrived))
        #expect(promised.count < sent, "the kill met no batch")
    }

    @Test func `a broker that hangs is given up, by confirms and by what is sent`() throws {
        let broker = try TestBroker()
        let publisher = try Self.prepare(broker)
        var settings = try Broker(url: broker.url)
        settings.sendSeconds = 2
        let connection = try Connection(to: settings)
        let writer = try Publisher(connection)
        broker.suspend()
        defer { broker.resume() }

        let (few, confirmSeconds) = timed {
            publisher.publish([Self.message(1)], to: "e", withinMilliseconds: 1_000)
        }
        #expect(few == [.unknown(AMQPError(.unreachable, "no confirm in time"))])
        #expect((0.9..<3).contains(confirmSeconds))

        // More than the sockets' buffers hold, so that sending itself comes to a stop.
        let large = (0..<100).map { number in
            var message = Self.message(number)
            message.message.body = [UInt8](repeating: 0, count: 500_000)
            return message
        }
        let (many, sendSeconds) = timed {
            writer.publish(large, to: "e", withinMilliseconds: 60_000)
        }
        #expect(many.count == 100)
        #expect(!many.contains(.confirmed))
        #expect(sendSeconds < 20)
    }
}

/// A port that takes connections and says nothing.
private final class SilentPort {
    let port: UInt16
    private let descriptor: Int32

    init() throws {
        let port = try freePort()
        self.port = port
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(port)
        let result = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0, listen(descriptor, 16) == 0 else { throw Failure("no port") }
    }

    deinit { close(descriptor) }
}

/// A port that speaks TLS and passes on what it gets, with a certificate of localhost that an
/// authority of its own has signed. (RabbitMQ's package brings socat.)
private final class TLSPort {
    let port: UInt16
    /// The authority's file.
    let authority: String
    private let scratch: ScratchFolder
    private let socat: Part

    init(before broker: UInt16) throws {
        scratch = try ScratchFolder()
        let folder = scratch.path
        authority = "\(folder)/authority.pem"
        let made = try Finished(
            [
                "bash", "-ec",
                """
                cd "$0"
                request() { openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" "${@:2}"; }
                request authority -x509 -days 1 -keyout authority.key -out authority.pem
                request localhost -keyout key.pem -out request.pem
                openssl x509 -req -in request.pem -days 1 -CA authority.pem -CAkey authority.key \
                    -CAcreateserial -extfile <(echo subjectAltName=DNS:localhost) -out certificate.pem
                """, folder,
            ], in: folder)
        guard made.status == 0 else { throw Failure("openssl: \(made.errors)") }
        let port = try freePort()
        self.port = port
        let address = "OPENSSL-LISTEN:\(port),bind=127.0.0.1,reuseaddr,fork,verify=0"
        socat = try Part(
            [
                "socat", "\(address),cert=\(folder)/certificate.pem,key=\(folder)/key.pem",
                "TCP:127.0.0.1:\(broker)",
            ], log: "\(folder)/socat.log")
        let isListening = eventually { Self.listens(port) ? true : nil }
        guard isListening != nil else { throw Failure("socat: \(contents(of: socat.log))") }
    }

    private static func listens(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = loopback(port)
        return withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                Glibc.connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
