import Commerce
import FoundationEssentials
import Glibc
import HTTPReceiver
import Store
import Synchronization
import Testing

/// Events reach their targets, whatever happens to the workers, the database or the targets.
@Suite struct Workers {
    private let shop: Workshop

    init() throws { shop = try Workshop() }

    /// What a test opens to let a receiver answer.
    private final class Gate: Sendable {
        private let isOpen = Atomic<Bool>(false)

        func open() { isOpen.store(true, ordering: .relaxed) }

        func wait() { _ = eventually(within: 60) { isOpen.load(ordering: .relaxed) ? 1 : nil } }
    }

    // MARK: - Delivery

    @Test func `two workers bring every event to every target once`() throws {
        let (one, other) = (try Receiver(), try Receiver())
        _ = try (shop.add(one), shop.add(other))
        let workers = try (1...2).map { _ in try shop.startWorker() }
        let ids = Set(try shop.database.happen(2_000))
        #expect(try shop.settled())
        #expect(try shop.count(.delivered) == 6_000)
        for receiver in [one, other] {
            let arrived = receiver.arrivals.compactMap(\.eventID)
            #expect(arrived.count == 2_000 && Set(arrived) == ids)
        }
        let notified = try shop.notifiedEvents()
        #expect(notified.count == 2_000 && Set(notified) == ids)
        for worker in workers {
            worker.signal(SIGTERM)
            #expect(worker.end(within: 10) == 0)
        }
        #expect(try shop.number("SELECT MAX(attempts) FROM delivery") == 1)
    }

    @Test func `an idle worker delivers within a moment of the commit`() throws {
        let receiver = try Receiver()
        let target = try shop.add(receiver)
        let worker = try shop.startWorker()
        var delays: [Int64] = []
        for _ in 1...10 {
            try shop.database.happen(1)
            #expect(try shop.settled())
            delays.append(
                try shop.number(
                    """
                    SELECT TIMESTAMPDIFF(MICROSECOND, created_at, finished_at) FROM outbox
                    JOIN delivery ON event_id = outbox.id
                    WHERE target_id = \(target) ORDER BY outbox.id DESC LIMIT 1
                    """) / 1_000)
        }
        print("from commit to delivery, in ms:", delays.sorted())
        // Half of it is meant; a machine that is busy with other tests may take a multiple.
        #expect(delays.sorted()[delays.count / 2] < 400, "\(delays)")
        withExtendedLifetime(worker) {}
    }

    @Test func `a target that fails is tried again alone, is dead at last, and can be replayed`()
        throws
    {
        let isWell = Atomic<Bool>(false)
        let failing = try Receiver { _ in
            isWell.load(ordering: .relaxed) ? .answer(200) : .answer(500)
        }
        let well = try Receiver()
        let (ill, fine) = (try shop.add(failing), try shop.add(well))
        let worker = try shop.startWorker(["COMMERCE_DELIVERY_ATTEMPTS": "3"])
        let ids = try shop.database.happen(20)
        #expect(try shop.settled())
        #expect(try shop.count(.dead, ill) == 20)
        #expect(failing.arrivals.count == 60)
        #expect(try shop.number("SELECT MIN(attempts) FROM delivery WHERE target_id = \(ill)") == 3)
        let list = try shop.events("list", "--state", "dead").output
        #expect(list.split(separator: "\n").allSatisfy { $0.hasSuffix("answered 500") })

        isWell.store(true, ordering: .relaxed)
        #expect(
            try shop.events("replay", "--state", "dead").output == "20 deliveries are due again\n")
        #expect(try shop.settled())
        #expect(try shop.count(.delivered, ill) == 20)
        #expect(Set(failing.arrivals.suffix(20).compactMap(\.eventID)) == Set(ids))
        #expect(well.arrivals.count == 20)
        #expect(try shop.count(.delivered, fine) == 20)
        #expect(try shop.notifiedEvents().count == 20)
        let log = contents(of: worker.log)
        #expect(log.contains("events given up"))
        #expect(log.split(separator: "\n").count < 20, "\(log)")
    }

    @Test func `a target that hangs holds nobody else up`() throws {
        let gate = Gate()
        let hanging = try Receiver { _ in
            gate.wait()
            return .answer(200)
        }
        let receiver = try Receiver()
        let (stuck, quick) = (try shop.add(hanging), try shop.add(receiver))
        let worker = try shop.startWorker()
        try shop.database.happen(100)
        let isThrough = try eventually { () -> Bool? in
            try shop.count(.delivered, quick) == 100
                && shop.count(.delivered, .notification) == 100 ? true : nil
        }
        #expect(isThrough == true)
        #expect(try shop.count(.delivered, stuck) == 0)
        gate.open()
        #expect(try shop.settled())
        #expect(receiver.arrivals.count == 100)
        withExtendedLifetime(worker) {}
    }

    @Test func `a receiver that asks for a pause gets it`() throws {
        let count = Tally()
        let receiver = try Receiver { _ in
            count.add() == 0 ? .answer(429, headers: ["Retry-After": "2"]) : .answer(200)
        }
        let target = try shop.add(receiver)
        let worker = try shop.startWorker()
        try shop.database.happen(1)
        let pause = try eventually { () -> Int64? in
            let pause = try shop.number(
                """
                SELECT COALESCE(MAX(TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), due_at)), 0)
                FROM delivery
                WHERE target_id = \(target) AND attempts = 1 AND last_error IS NOT NULL
                """)
            return pause > 0 ? pause : nil
        }
        #expect((1...2_000_000).contains(try #require(pause)))
        #expect(try shop.settled())
        #expect(try shop.number("SELECT MAX(attempts) FROM delivery") == 2)
        withExtendedLifetime(worker) {}
    }

    // MARK: - Endpoints that come and go

    @Test func `endpoints that are added or switched off are noticed within seconds`() throws {
        let worker = try shop.startWorker()
        try shop.database.happen(1)
        #expect(try shop.settled())
        let receiver = try Receiver()
        let target = try shop.add(receiver)
        let (_, took) = try timed {
            try shop.database.happen(1)
            #expect(receiver.arrivals(1) != nil)
        }
        #expect(took < 15)
        try shop.deliveries.switchOff(target, because: "of the test")
        try shop.database.happen(1)
        #expect(try shop.settled())
        #expect(try shop.notifiedEvents().count == 3)
        #expect(receiver.arrivals.count == 1)
        withExtendedLifetime(worker) {}
    }

    @Test func `a receiver that is gone for good is switched off and gets nothing more`() throws {
        let receiver = try Receiver { _ in .answer(410) }
        let target = try shop.add(receiver)
        let worker = try shop.startWorker()
        try shop.database.happen(1)
        let isOff = try eventually { () -> Bool? in
            try shop.number("SELECT disabled_at IS NOT NULL FROM webhook_endpoint") == 1
                ? true : nil
        }
        #expect(isOff == true)
        try shop.database.happen(5)
        #expect(try shop.settled())
        #expect(receiver.arrivals.count == 1)
        #expect(try shop.count(.canceled, target) == 1)
        #expect(try shop.number("SELECT COUNT(*) FROM delivery WHERE target_id = \(target)") == 1)
        withExtendedLifetime(worker) {}
    }

    // MARK: - The ends of workers

    @Test func `what a killed worker had in hand is delivered by another when its lease ends`()
        throws
    {
        let arrived = Tally()
        let receiver = try Receiver { _ in arrived.add() == 0 ? .hang : .answer(200) }
        let target = try shop.add(receiver)
        let first = try shop.startWorker(["COMMERCE_DELIVERY_LEASE_SECONDS": "2"])
        var ids = try shop.database.happen(1)
        #expect(receiver.arrivals(1) != nil)
        // Whatever it had to mark of the first event it has marked when a later one is dispatched.
        ids += try shop.database.happen(1)
        #expect(try eventually { try shop.count(.delivered) == 2 ? true : nil } == true)
        first.killNow()
        let second = try shop.startWorker()
        #expect(try shop.settled())
        let events = receiver.arrivals.compactMap(\.eventID)
        #expect(events.count { $0 == ids[0] } == 2 && Set(events) == Set(ids))
        #expect(
            try shop.number("SELECT MAX(attempts) FROM delivery WHERE target_id = \(target)") == 2)
        #expect(Set(try shop.notifiedEvents()) == Set(ids))
        withExtendedLifetime(second) {}
    }

    @Test func `at SIGTERM what is being sent is finished and marked`() throws {
        let gate = Gate()
        let receiver = try Receiver { _ in
            gate.wait()
            return .answer(200)
        }
        let target = try shop.add(receiver)
        let worker = try shop.startWorker()
        try shop.database.happen(1)
        #expect(receiver.arrivals(1) != nil)
        worker.signal(SIGTERM)
        #expect(eventually { contents(of: worker.log).contains("stopping") ? 1 : nil } != nil)
        #expect(worker.ended == nil)
        gate.open()
        #expect(worker.end(within: 10) == 0)
        #expect(try shop.count(.delivered, target) == 1)
        #expect(contents(of: worker.log).hasSuffix("\"message\":\"stopped\"}\n"))
        // Nobody begins anything new.
        try shop.database.happen(1)
        #expect(try shop.number("SELECT COUNT(*) FROM outbox WHERE dispatched_at IS NULL") == 1)
    }

    @Test func `a receiver that is gone for good does not hold up a stop`() throws {
        let gate = Gate()
        let receiver = try Receiver { _ in
            gate.wait()
            return .answer(410)
        }
        let target = try shop.add(receiver)
        let worker = try shop.startWorker()
        try shop.database.happen(3)
        #expect(receiver.arrivals(1) != nil)
        worker.signal(SIGTERM)
        #expect(eventually { contents(of: worker.log).contains("stopping") ? 1 : nil } != nil)
        gate.open()
        #expect(worker.end(within: 15) == 0)
        #expect(contents(of: worker.log).hasSuffix("\"message\":\"stopped\"}\n"))
        // Each that was answered is marked, and each other one was given back.
        let sent = Int64(receiver.arrivals.count)
        #expect(try shop.count(.canceled, target) == sent)
        #expect(
            try shop.number(
                """
                SELECT COUNT(*) FROM delivery WHERE target_id = \(target)
                AND state = 'PENDING' AND attempts = 0 AND due_at <= UTC_TIMESTAMP(6)
                """) == 3 - sent)
    }

    @Test func `a second SIGTERM ends a worker at once, and the lease keeps its deliveries`() throws
    {
        let receiver = try Receiver { _ in .hang }
        let target = try shop.add(receiver)
        let worker = try shop.startWorker()
        try shop.database.happen(1)
        #expect(receiver.arrivals(1) != nil)
        worker.signal(SIGTERM)
        #expect(eventually { contents(of: worker.log).contains("stopping") ? 1 : nil } != nil)
        worker.signal(SIGTERM)
        let status = worker.end(within: 5)
        #expect(status != nil && status != 0)
        #expect(try shop.count(.pending, target) == 1)
        #expect(
            try shop.number(
                """
                SELECT attempts = 1 AND due_at > UTC_TIMESTAMP(6) + INTERVAL 40 SECOND
                FROM delivery WHERE target_id = \(target)
                """) == 1)
    }

    @Test func `workers that are killed again and again lose nothing`() throws {
        let shop = shop
        let receiver = try Receiver()
        _ = try shop.add(receiver)
        let settings = ["COMMERCE_DELIVERY_LEASE_SECONDS": "3"]
        var ids: Set<UUID> = []
        for round in 1...8 {
            let worker = try shop.startWorker(settings)
            ids.formUnion(try shop.database.happen(300))
            #expect(receiver.arrivals(150 * round, withinMilliseconds: 30_000) != nil)
            worker.killNow()
        }
        let last = try shop.startWorker(settings)
        #expect(try shop.settled())
        #expect(Set(receiver.arrivals.compactMap(\.eventID)) == ids)
        #expect(Set(try shop.notifiedEvents()) == ids)
        #expect(try shop.count(.delivered) == 4_800)
        withExtendedLifetime(last) {}
    }

    // MARK: - The database beneath

    @Test func `a database that goes and comes back is waited for, and that is said once`() throws {
        let (receiver, other) = (try Receiver(), try Receiver())
        _ = try (shop.add(receiver), shop.add(other))
        let worker = try shop.startWorker()
        try shop.database.happen(1)
        #expect(try shop.settled())
        shop.proxy.cut()
        func lines(_ text: String) -> Int {
            contents(of: worker.log).split(separator: "\n").count { $0.contains(text) }
        }
        #expect(eventually { lines("waiting for MariaDB") > 0 ? 1 : nil } != nil)
        try shop.database.happen(50)
        usleep(1_500_000)  // For those who would complain again.
        try shop.proxy.mend()
        #expect(try shop.settled())
        #expect(receiver.arrivals.count == 51 && other.arrivals.count == 51)
        #expect(eventually { lines("MariaDB answers again") > 0 ? 1 : nil } != nil)
        #expect(lines("waiting for MariaDB") == 1, "\(contents(of: worker.log))")
        #expect(lines("MariaDB answers again") == 1)
        worker.signal(SIGTERM)
        #expect(worker.end(within: 10) == 0)
    }

    @Test(arguments: [Proxy.Loss.commit, .answerToCommit])
    func `a COMMIT whose answer is lost costs a repeat at most`(loss: Proxy.Loss) throws {
        let receiver = try Receiver()
        _ = try shop.add(receiver)
        let worker = try shop.startWorker(["COMMERCE_DELIVERY_LEASE_SECONDS": "1"])
        var ids: Set<UUID> = []
        // Whose COMMIT it is, a dispatch, a claim or a mark, is chance.
        for _ in 1...6 {
            shop.proxy.lose(loss)
            ids.formUnion(try shop.database.happen(5))
            #expect(try shop.settled())
        }
        #expect(Set(receiver.arrivals.compactMap(\.eventID)) == ids)
        #expect(Set(try shop.notifiedEvents()) == ids)
        #expect(try shop.count(.delivered) == 60)
        withExtendedLifetime(worker) {}
    }

    // MARK: - Upkeep

    @Test func `a worker deletes what is old and what nobody needs`() throws {
        let worker = try shop.startWorker(["COMMERCE_EVENTS_KEPT_HOURS": "2"])
        try shop.database.happen(3)
        #expect(try shop.settled())
        try shop.execute(
            """
            INSERT INTO idempotency_key
                (user_id, scope, idem_key, fingerprint, status, response, created_at)
            VALUES (25, 'CHARGE', 'k', REPEAT('x', 32), 200, '', NOW() - INTERVAL 73 HOUR)
            """)
        try shop.execute("UPDATE delivery SET finished_at = finished_at - INTERVAL 3 HOUR LIMIT 2")
        try shop.execute("UPDATE notification SET sent_at = sent_at - INTERVAL 3 HOUR LIMIT 2")
        let isTidy = try eventually(within: 20) { () -> Bool? in
            let left = try [
                "outbox", "delivery", "notification", "idempotency_key",
            ].map { try shop.number("SELECT COUNT(*) FROM \($0)") }
            return left == [1, 1, 1, 0] ? true : nil
        }
        #expect(isTidy == true)
        withExtendedLifetime(worker) {}
    }
}

/// The shop with its worker, as script/server runs them.
@Suite struct ShopsWithWorkers {
    @Test func `an order, a cancel and a charge become messages or nothing, with their trace`()
        throws
    {
        let shop = try Shop(hasWorker: true)
        let receiver = try Receiver()
        let add = try Finished(
            [TestRun.commerce, "webhooks", "add", receiver.url],
            settings: shop.database.settings(), in: shop.folder)
        #expect(add.status == 0, "\(add.errors)")
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        let order = try shop.request(
            "POST", "/api/v1/orders", ["traceparent": "00-\(trace)-00f067aa0ba902b7-01"],
            body: Array(ShopTests.order(25, [(101, 2)], paying: 4_000).utf8))
        #expect(order.status == 200)
        let id = try #require(order.orderID)
        #expect(try shop.post("/api/v1/orders/\(id)/cancel", "", key: "c").status == 200)
        #expect(try shop.post("/api/v1/users/25/charge", charge(1_000), key: "k").status == 200)

        let arrivals = try #require(receiver.arrivals(3))
        struct Envelope: Decodable { let type: String, traceId: String? }
        let envelopes = try arrivals.map {
            try JSONDecoder().decode(Envelope.self, from: Data($0.body))
        }
        #expect(
            Set(envelopes.map(\.type)) == ["order.paid", "order.cancelled", "points.charged"])
        #expect(envelopes.first { $0.type == "order.paid" }?.traceId == trace)
        let lines = eventually { shop.notifications.count == 2 ? shop.notifications : nil }
        #expect(lines?[0].contains("양배추 샐러드 2개") == true, "\(shop.notifications)")
    }

    @Test func `a worker keeps the best sellers warm, so that no reader computes them`() throws {
        let shop = try Shop(hasWorker: true)
        let generation = try shop.number(
            "SELECT CAST(UNIX_TIMESTAMP(row_start) * 1000000 AS SIGNED) FROM shop")
        let key = "commerce.\(shop.database.name).\(String(generation, radix: 36)).popular"
        func cached() throws -> Bool {
            let socket = try UnixSocket.connected(to: "\(shop.folder)/memcached.sock")
            try socket.send(Array("get \(key) \(key).fresh\r\n".utf8))
            let text = String(decoding: socket.receive(), as: UTF8.self)
            return text.contains("VALUE \(key) ") && text.contains("VALUE \(key).fresh ")
        }
        try shop.flushMemcached()
        #expect(try eventually { try cached() ? true : nil } == true)
        // Longer than a list is fresh.
        let isAlwaysFresh = try eventually(within: 5) { try cached() ? nil : false }
        #expect(isAlwaysFresh == nil)
    }
}
