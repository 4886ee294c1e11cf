import Commerce
import Glibc
import HTTPReceiver
import Store
import Testing

/// An event that fails again and again stops nothing else, and is not passed over in silence.
@Suite struct Poison {
    private let shop: Workshop

    init() throws { shop = try Workshop() }

    @Test func `a cause that changes is said, and each cause once`() throws {
        let count = Tally()
        let receiver = try Receiver { _ in
            let count = count.add()
            return .answer(count < 4 ? [500, 503][count % 2] : 200)
        }
        _ = try shop.add(receiver)
        let worker = try shop.startWorker()
        try shop.database.happen(1)
        #expect(try shop.settled())
        let lines = contents(of: worker.log).split(separator: "\n")
        #expect(lines.count { $0.contains("target fails") && $0.contains("answered 500") } == 1)
        #expect(lines.count { $0.contains("target fails") && $0.contains("answered 503") } == 1)
        #expect(lines.count { $0.contains("takes events again") } == 1)
    }

    @Test func `a delivery that the database will not mark stops no other`() throws {
        let receiver = try Receiver()
        let target = try shop.add(receiver)
        let worker = try shop.startWorker(["COMMERCE_DELIVERY_LEASE_SECONDS": "30"])
        try shop.database.happen(1)
        #expect(try shop.settled())
        // No mark of an event of order 5.
        try shop.execute(
            """
            CREATE TRIGGER refuse BEFORE UPDATE ON delivery FOR EACH ROW
            IF NEW.state = 'DELIVERED' AND NEW.target_id = \(target) AND EXISTS
                (SELECT 1 FROM outbox WHERE id = NEW.event_id AND aggregate_id = 5)
            THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'never'; END IF
            """)
        try shop.database.happen(20)
        let isThrough = try eventually { () -> Bool? in
            try shop.count(.delivered) == 2 + 20 + 19 ? true : nil
        }
        #expect(isThrough == true)
        #expect(receiver.arrivals.count == 21)
        #expect(contents(of: worker.log).contains("cannot be marked"))
        try shop.execute("DROP TRIGGER refuse")
        try shop.execute("UPDATE delivery SET due_at = UTC_TIMESTAMP(6) WHERE state = 'PENDING'")
        #expect(try shop.settled())
    }
}
