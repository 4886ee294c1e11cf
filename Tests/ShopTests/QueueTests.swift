import AMQP
import Commerce
import Events
import FoundationEssentials
import Glibc
import HTTPReceiver
import MariaDB
import Synchronization
import Testing

/// Events through a real RabbitMQ to `commerce notify`. One test at a time, as all share the queue.
@Suite(.serialized) struct Queueing {
    private let broker: TestBroker
    private let target: QueueTarget

    init() throws {
        broker = try TestBroker.shared.get()
        try broker.clear()
        target = QueueTarget(try Broker(url: broker.url))
    }

    @Test func `an order's event becomes a line, and its message is gone`() throws {
        let notifier = try NotifierUnderTest(on: broker)
        let process = try notifier.start()
        let charged = event(.pointsCharged, of: 25, #"{"userId":25}"#)
        let events = [orderEvent(1), charged, orderEvent(2, type: .orderCancelled)]
        try notifier.database.write(events)
        #expect(try target.deliver(events) == [.delivered, .delivered, .delivered])
        #expect(notifier.awaitOrders(2).sorted() == [1, 2])
        process.signal(SIGTERM)
        #expect(process.end(within: 20) == 0)
        #expect(broker.awaitCount(0, in: TestBroker.queue))
        #expect(notifier.lines.count == 2)
    }

    @Test func `a message carries the event, its id, its time and its trace`() throws {
        let event = orderEvent(7)
        #expect(try target.deliver([event]) == [.delivered])
        let consumer = try Consumer(
            try broker.connect(), of: TestBroker.queue, prefetch: 1)
        let delivery = try #require(try consumer.receive(1, withinMilliseconds: 10_000).first)
        #expect(delivery.key == "order.paid")
        #expect(delivery.message.id == event.id.lowercased)
        #expect(delivery.message.body == event.envelope)
        #expect(delivery.message.contentType == "application/json")
        #expect(delivery.message.timestamp == 1_769_903_999)  // 2026-01-31T23:59:59Z
        let span = event.id.lowercased.filter { $0 != "-" }.suffix(16)
        #expect(
            delivery.message.headers["traceparent"]
                == "00-0af7651916cd43dd8448eb211c80319c-\(span)-01")
    }

    @Test func `what was published before anybody listened is told later`() throws {
        let notifier = try NotifierUnderTest(on: broker)
        let events = (1...300).map { orderEvent(Int64($0)) }
        try notifier.database.write(events)
        #expect(try target.deliver(events).allSatisfy { $0 == .delivered })
        let process = try notifier.start()
        #expect(notifier.awaitOrders(300).sorted() == Array(1...300))
        process.signal(SIGTERM)
        #expect(process.end(within: 20) == 0)
    }

    @Test func `an event that is published twice is told once`() throws {
        let notifier = try NotifierUnderTest(on: broker)
        let events = (1...51).map { orderEvent(Int64($0)) }
        try notifier.database.write(events)
        for _ in 1...3 { _ = try target.deliver(Array(events.prefix(50))) }
        let process = try notifier.start()
        #expect(broker.awaitCount(0, in: TestBroker.queue))
        _ = try target.deliver(events)
        let isTold = eventually(within: 20) { notifier.orders.contains(51) ? true : nil }
        #expect(isTold != nil)
        process.signal(SIGTERM)
        #expect(process.end(within: 20) == 0)
        #expect(notifier.orders.sorted() == Array(1...51))
    }

    @Test func `a copy of the shop leaves the messages to the queue, until it is the shop`() throws
    {
        let notifier = try NotifierUnderTest(on: broker)
        try notifier.database.connect().execute("UPDATE shop SET live_generation = NULL")
        #expect(try target.deliver([orderEvent(1)]) == [.delivered])
        let process = try notifier.run("notify")
        try process.awaitLine("HELD: this database is a copy")
        usleep(2_000_000)
        #expect(broker.awaitCount(1, in: TestBroker.queue) && notifier.lines.isEmpty)
        try notifier.database.connect().execute("UPDATE shop SET live_generation = row_start")
        #expect(broker.awaitCount(0, in: TestBroker.queue))
        process.signal(SIGTERM)
        #expect(process.end(within: 20) == 0)
    }

    @Test func `what nobody can be told is among the dead, and holds up nothing`() throws {
        let notifier = try NotifierUnderTest(on: broker)
        let process = try notifier.start()
        let publisher = try Publisher(try broker.connect())
        let odd = Message(id: "odd", contentType: "text/plain", timestamp: 0, body: [1, 2, 3])
        let outcomes = publisher.publish(
            [(message: odd, key: "order.paid", isMandatory: true)], to: "commerce.events",
            withinMilliseconds: 10_000)
        #expect(outcomes == [.confirmed])
        let events = [orderEvent(1, user: 999), orderEvent(2)]
        try notifier.database.write(events)
        _ = try target.deliver(events)
        #expect(notifier.awaitOrders(1) == [2])
        #expect(broker.awaitCount(2, in: TestBroker.deadQueue))
        let log = contents(of: process.log)
        #expect(log.contains("malformed message") && log.contains(#""message_id":"odd""#))
        #expect(log.contains("there is no user 999"))
        #expect(broker.awaitCount(0, in: TestBroker.queue))
    }

    @Test func `an event that the shop did not write is told to nobody`() throws {
        let notifier = try NotifierUnderTest(on: broker)
        let process = try notifier.start()
        let genuine = (1...6).map {
            orderEvent(Int64($0), type: $0 < 6 ? .orderPaid : .orderCancelled)
        }
        try notifier.database.write(genuine)
        func forged(_ event: Event, type: EventType? = nil, of other: Event? = nil) -> Event {
            Event(
                id: event.id, aggregate: .order, aggregateID: event.aggregateID,
                type: type ?? event.type, payload: (other ?? event).payload,
                createdAt: event.createdAt)
        }
        let lies = [
            orderEvent(7), orderEvent(8, type: .orderCancelled),
            forged(genuine[0], of: orderEvent(1, user: 26)), forged(genuine[1], of: orderEvent(9)),
            forged(genuine[2], type: .orderCancelled), forged(genuine[5], type: .orderPaid),
            forged(genuine[3], of: orderEvent(4, items: [(101, 3, 2_000)])),
        ]
        #expect(try target.deliver(lies).allSatisfy { $0 == .delivered })
        // A lie about an event beside the event itself.
        #expect(
            try target.deliver([lies[2], genuine[0], lies[3], genuine[1]] + genuine.suffix(4))
                .allSatisfy { $0 == .delivered })
        #expect(notifier.awaitOrders(6).sorted() == Array(1...6))
        #expect(broker.awaitCount(lies.count + 2, in: TestBroker.deadQueue))
        #expect(broker.awaitCount(0, in: TestBroker.queue))
        #expect(notifier.orders.count == 6)
        let told = notifier.lines.map { $0.contains("010-1234-4112") }
        #expect(told == Array(repeating: true, count: 6))
        #expect(contents(of: process.log).contains("the shop wrote no such event"))
    }

    @Test func `an event that the broker cannot take fails by itself`() throws {
        let long = event(EventType(rawValue: String(repeating: "x", count: 300)), of: 1, "{}")
        let events = [orderEvent(1), orderEvent(2), long, orderEvent(3), orderEvent(4)]
        let results = try target.deliver(events)
        for (index, result) in results.enumerated() {
            guard case .failed(let cause, nil) = result else {
                #expect(result == .delivered && index != 2)
                continue
            }
            #expect(index == 2 && cause.hasPrefix("RabbitMQ: "))
        }
        // Those that went ahead of it may have come twice.
        let consumer = try Consumer(try broker.connect(), of: TestBroker.queue, prefetch: 100)
        var ids: Set<String> = []
        let areThere = try eventually {
            ids.formUnion(
                try consumer.receive(100, withinMilliseconds: 200).map(\.message.id))
            return ids.count == 4 ? true : nil
        }
        #expect(areThere == true, "\(ids)")
    }

    @Test func `a message that fails is tried again while others pass it`() throws {
        let attempts = Shared<[String: Int]>([:])
        let gateway = try Receiver { arrival in
            let id = arrival.headers["idempotency-key"] ?? ""
            let count = attempts.withLock { attempts in
                attempts[id, default: 0] += 1
                return attempts[id] ?? 0
            }
            let text = String(decoding: arrival.body, as: UTF8.self)
            return .answer(text.contains("\"orderId\":\"1\"") && count < 4 ? 500 : 200)
        }
        let notifier = try NotifierUnderTest(
            on: broker,
            [
                "COMMERCE_ALIMTALK_URL": gateway.url, "COMMERCE_ALIMTALK_TOKEN": "s3cret-token",
                "COMMERCE_ALIMTALK_TEMPLATE": "T",
            ])
        let process = try notifier.start()
        let events = (1...20).map { orderEvent(Int64($0)) }
        try notifier.database.write(events)
        _ = try target.deliver(events)
        let arrivals = try #require(gateway.arrivals(23))
        let first = events[0].id.lowercased
        #expect(arrivals.filter { $0.headers["idempotency-key"] == first }.count == 4)
        #expect(arrivals.last?.headers["idempotency-key"] == first)
        let isNoted = try eventually {
            try notifier.database.connect().number("SELECT COUNT(*) FROM notification") == 20
                ? true : nil
        }
        #expect(isNoted != nil)
        #expect(broker.awaitCount(0, in: TestBroker.queue))
        let log = contents(of: process.log)
        #expect(log.contains("the gateway answered 500"))
        #expect(!log.contains("s3cret") && !log.contains("4112") && !log.contains("01012344112"))
    }

    @Test func `without a place to write it waits, and goes on by itself`() throws {
        let notifier = try NotifierUnderTest(on: broker)
        let path = "\(notifier.scratch.path)/n.jsonl"
        // A folder in the file's place.
        #expect(mkdir(path, 0o700) == 0)
        let process = try notifier.start()
        let events = (1...10).map { orderEvent(Int64($0)) }
        try notifier.database.write(events)
        _ = try target.deliver(events)
        let isSaid = eventually {
            contents(of: process.log).contains("Is a directory") ? true : nil
        }
        #expect(isSaid != nil)
        #expect(rmdir(path) == 0)
        #expect(notifier.awaitOrders(10).sorted() == Array(1...10))
        let isOver = eventually {
            contents(of: process.log).contains("notifications go out again") ? true : nil
        }
        #expect(isOver != nil)
    }

    @Test func `a stop gives back what waits for another attempt`() throws {
        let gateway = try Receiver { _ in .answer(503, headers: ["Retry-After": "600"]) }
        let settings = [
            "COMMERCE_ALIMTALK_URL": gateway.url, "COMMERCE_ALIMTALK_TOKEN": "t",
            "COMMERCE_ALIMTALK_TEMPLATE": "T",
        ]
        let notifier = try NotifierUnderTest(on: broker, settings)
        let process = try notifier.start()
        let events = [orderEvent(1), orderEvent(2)]
        try notifier.database.write(events)
        _ = try target.deliver(events)
        #expect(gateway.arrivals(2) != nil)
        process.signal(SIGTERM)
        #expect(process.end(within: 20) == 0)
        #expect(broker.awaitCount(2, in: TestBroker.queue))
        #expect(gateway.arrivals.count == 2, "Retry-After was not honoured")
    }

    @Test func `a killed notifier loses nothing`() throws {
        let notifier = try NotifierUnderTest(on: broker)
        let events = (1...2_000).map { orderEvent(Int64($0)) }
        try notifier.database.write(events)
        let published = Beside { [target] in
            for start in stride(from: 0, to: events.count, by: 200) {
                let results = try target.deliver(Array(events[start..<(start + 200)]))
                guard results.allSatisfy({ $0 == .delivered }) else { throw Failure("\(results)") }
            }
        }
        for round in 1...3 {
            let process = try notifier.start()
            _ = notifier.awaitOrders(round * 100)
            process.killNow()
        }
        try published.value()
        let process = try notifier.start()
        let isComplete = eventually(within: 60) {
            Set(notifier.orders).count == 2_000 ? true : nil
        }
        #expect(isComplete != nil)
        process.signal(SIGTERM)
        #expect(process.end(within: 20) == 0)
        #expect(broker.awaitCount(0, in: TestBroker.queue))
        // Only what a kill met between sending and noting came twice: a batch each at most.
        #expect(notifier.lines.count <= 2_000 + 3 * 500)
    }

    @Test func `a queue that somebody deleted comes back, and its events with it`() throws {
        #expect(try target.deliver([orderEvent(1)]) == [.delivered])
        try broker.clear()
        let lost = orderEvent(2)
        #expect(
            try target.deliver([lost]) == [
                .failed(cause: "no queue takes it: 312 NO_ROUTE", retryAfterSeconds: nil)
            ])
        #expect(try target.deliver([lost]) == [.delivered])
        #expect(broker.awaitCount(1, in: TestBroker.queue))
    }

    @Test func `a worker publishes orders, and the notifier tells the buyers`() throws {
        let shop = try Shop()
        let notifier = try NotifierUnderTest(on: broker, try shop.database.settings())
        let worker = try notifier.run("work")
        let process = try notifier.start()
        #expect(
            try shop.post("/api/v1/orders", order(25, [(101, 2)], paying: 4_000)).status == 200)
        #expect(notifier.awaitOrders(1) == [1])
        let isDelivered = try eventually {
            try shop.number(
                "SELECT COUNT(*) FROM delivery WHERE target_id = 0 AND state = 'DELIVERED'") == 1
                ? true : nil
        }
        #expect(isDelivered != nil, "\(contents(of: worker.log))")
        worker.signal(SIGTERM)
        process.signal(SIGTERM)
        #expect(worker.end(within: 20) == 0)
        #expect(process.end(within: 20) == 0)
    }
}

/// The queue's outage, on a broker of its own.
@Suite struct QueueOutage {
    @Test func `a broker killed amid batches loses no event that counts as delivered`() throws {
        let broker = try TestBroker()
        let target = QueueTarget(try Broker(url: broker.url))
        let notifier = try NotifierUnderTest(on: broker)
        let first = orderEvent(1)
        try notifier.database.write([first])
        _ = try target.deliver([first])
        try broker.settle()
        let process = try notifier.start()

        let events = (2...6_000).map { orderEvent(Int64($0)) }
        try notifier.database.write(events)
        let delivered = Tally()
        let publishing = Beside {
            // As a worker: what was not delivered comes again.
            var pending = events[...]
            let end = ContinuousClock.now + .seconds(120)
            while !pending.isEmpty, .now < end {
                let batch = Array(pending.prefix(100))
                do {
                    let results = try target.deliver(batch)
                    let failed = zip(batch, results).filter { $1 != .delivered }.map(\.0)
                    pending = failed[...] + pending.dropFirst(batch.count)
                    for _ in 0..<(batch.count - failed.count) { delivered.add() }
                } catch {
                    usleep(50_000)
                }
            }
            return pending.count
        }
        for share in [1_000, 3_000] {
            let isUnderWay = eventually(within: 60) { delivered.count > share ? true : nil }
            #expect(isUnderWay != nil)
            broker.killNow()
            try broker.restart()
        }
        #expect(try publishing.value(within: 150) == 0)
        let isComplete = eventually(within: 90) {
            Set(notifier.orders).count == 6_000 ? true : nil
        }
        #expect(isComplete != nil, "\(Set(notifier.orders).count) of 6000")
        // Whatever came twice, the table dropped.
        #expect(notifier.lines.count == 6_000)
        process.signal(SIGTERM)
        #expect(process.end(within: 20) == 0)
    }

    @Test func `without a broker no event counts as attempted`() throws {
        let port = try freePort()
        let target = QueueTarget(try Broker(url: "amqp://guest:pa55word@127.0.0.1:\(port)"))
        #expect {
            try target.deliver([orderEvent(1)])
        } throws: { error in
            let cause = (error as? TargetUnavailable)?.cause ?? ""
            return cause.hasPrefix("RabbitMQ: connect to 127.0.0.1:\(port)")
                && !cause.contains("pa55word")
        }
    }
}
