import Commerce
import MariaDB
import Store
import Testing

/// Cancels in batches, and what can come between them.
@Suite struct CancelBatches {
    private let test: LedgerUnderTest

    init() throws {
        test = try LedgerUnderTest()
    }

    private func placed(_ user: Int64, _ product: Int64, _ quantity: Int64 = 1) throws -> OrderID {
        let result = try test.submit(try .order(user, product, quantity)).value()
        guard let id = result.order else { throw Failure("\(result)") }
        return id
    }

    private func sold(_ product: Int64) throws -> Int64 {
        try test.number("SELECT quantity FROM sale_window WHERE product_id = \(product)")
    }

    @Test func `units that come back are sold to a later order of the batch`() throws {
        let id = try placed(3, 101, 40)
        try test.database.connect().execute(
            "UPDATE stock SET quantity = 0, version = version + 1 WHERE product_id = 101")
        let results = try test.inOneBatch([
            .order(4, 101), .cancel(id, of: 3), .order(5, 101, 40), .order(6, 101),
        ])
        #expect(results[0].refusal != nil && results[3].refusal != nil)
        #expect(results[1].isAccepted && results[2].isAccepted)
        #expect(try test.stock(101) == 0)
        #expect(try test.points(3) == 100_000)
        #expect(try test.points(5) == 20_000)
        #expect(try sold(101) == 60)
    }

    @Test func `of two cancels in a batch one is refused, and one with the same key in progress`()
        throws
    {
        let id = try placed(3, 101)
        let keyed = Command.cancel(id, of: 3, key: "k")
        let results = try test.inOneBatch([keyed, keyed, .cancel(id, of: 3, key: "other")])
        #expect(results[0].isAccepted)
        #expect(try results[1].get() == .inProgress)
        #expect(results[2].refusal == .orderNotCancelable)
        #expect(try test.submit(keyed).value().isReplayed)
        #expect(try test.points(3) == 100_000)
        #expect(try test.stock(101) == 1_000)
    }

    @Test func `an order that another process cancels meanwhile is not canceled again`() throws {
        let id = try placed(3, 101)
        let hold = try Hold("SELECT id FROM users WHERE id = 3 FOR UPDATE", in: test.database)
        let mine = test.submit(.cancel(id, of: 3))  // Has read that it is paid.
        try hold.awaitWaiter()
        try hold.execute(
            "UPDATE orders SET status = 'CANCELED', version = version + 1 WHERE id = \(id)")
        try hold.release()
        #expect(try mine.value().refusal == .orderNotCancelable)
        #expect(try test.points(3) == 98_000)
        #expect(try test.stock(101) == 999)
    }

    @Test func `two ledgers cancel an order once`() throws {
        let other = try test.another()
        defer { other.close() }
        for round in 1...20 {
            let id = try placed(3, 101)
            let theirs = Promised()
            let mine = test.submit(.cancel(id, of: 3))
            other.submit(.cancel(id, of: 3)) { theirs.keep($0) }
            let results = [try mine.value(), try theirs.value()]
            #expect(results.count { $0.isAccepted } == 1, "round \(round): \(results)")
            #expect(results.count { $0.refusal == .orderNotCancelable } == 1)
        }
        #expect(try test.points(3) == 100_000)
        #expect(try test.stock(101) == 1_000)
        #expect(try sold(101) == 20)
        #expect(try test.database.violations() == [])
    }

    @Test func `units whose hour has left the window are not taken out of it again`() throws {
        let old = try placed(3, 101, 5)
        let mixed = try placed(4, 102, 2)
        let owner = try test.database.connect()
        try owner.execute("UPDATE orders SET created_at = created_at - INTERVAL 80 HOUR")
        try owner.execute(
            """
            INSERT INTO sale_hourly (hour, product_id, quantity)
            SELECT DATE_FORMAT(created_at, '%Y-%m-%d %H:00:00'), 102, 2 FROM orders
            WHERE id = \(mixed)
            """)
        let (first, second) = (try sold(101), try sold(102))
        let results = try test.inOneBatch([.cancel(old, of: 3), .cancel(mixed, of: 4)])
        #expect(results.allSatisfy { $0.isAccepted })
        #expect(try sold(101) == first)
        #expect(try sold(102) == second - 2)
        #expect(
            try test.number(
                "SELECT SUM(quantity) FROM sale_hourly WHERE hour < NOW() - INTERVAL 79 HOUR "
                    + "AND product_id = 102") == 0)
        #expect(try test.stock(101) == 1_000)
    }

    @Test func `an order is sold in the hour that it names`() throws {
        _ = try placed(3, 103, 7)
        #expect(
            try test.number(
                """
                SELECT h.quantity FROM orders o JOIN sale_hourly h
                ON h.hour = DATE_FORMAT(o.created_at, '%Y-%m-%d %H:00:00') AND h.product_id = 103
                """) == 7)
    }
}
