import Commerce
import MariaDB
import Store
import Testing

/// Numbers that rows have already, as after a backup was restored or another server took over.
@Suite struct TakenNumbers {
    private let test: LedgerUnderTest

    init() throws { test = try LedgerUnderTest() }

    /// Adds rows with the next numbers, as if somebody else had drawn them.
    private func takeOrders(_ count: Int, from first: Int64? = nil) throws {
        let owner = try test.database.connect()
        let first = try first ?? owner.number("SELECT COALESCE(MAX(id), 0) + 1 FROM orders")
        try owner.execute(
            """
            INSERT INTO orders (id, user_id, total_price)
            SELECT seq + \(first) - 1, 50, 0 FROM seq_1_to_\(count)
            """)
    }

    private func takePayments(_ count: Int) throws {
        let owner = try test.database.connect()
        let first = try owner.number("SELECT COALESCE(MAX(id), 0) + 1 FROM payment_history")
        try owner.execute(
            """
            INSERT INTO payment_history (id, user_id, total_price, pay_method, status)
            SELECT seq + \(first) - 1, 50, 0, 'CHARGE', 'COMPLETED' FROM seq_1_to_\(count)
            """)
    }

    private func orderWorks() throws -> Bool {
        try test.submit(.order(2, 101)).value().isAccepted
    }

    /// - Parameter ahead: rows that lie beyond the next number.
    @Test(arguments: [1, 20, 3_000, 70_000])
    func `an order succeeds although the next order numbers are taken`(ahead: Int) throws {
        #expect(try orderWorks())
        try takeOrders(ahead)
        for _ in 0...20 { #expect(try orderWorks()) }
        #expect(try test.stock(101) == 978)
        #expect(try test.points(2) == 100_000 - 22 * 2_000)
    }

    @Test(arguments: [1, 3_000])
    func `an order and a charge succeed although the next payment numbers are taken`(
        ahead: Int
    ) throws {
        #expect(try orderWorks())
        try takePayments(ahead)
        for _ in 0...20 { #expect(try orderWorks()) }
        try takePayments(ahead)
        for _ in 0...20 { #expect(try test.submit(.charge(3, 1_000)).value().isAccepted) }
        #expect(try test.points(3) == 121_000)
    }

    @Test func `a number that is taken again and again, between orders, stops none of them`() throws
    {
        for _ in 0..<10 {
            #expect(try orderWorks())
            try takeOrders(1)
            try takePayments(1)
        }
        #expect(try orderWorks())
    }

    @Test func `a batch whose numbers are taken in its midst succeeds whole`() throws {
        #expect(try orderWorks())
        let next = try test.number("SELECT MAX(id) + 1 FROM orders")
        try takeOrders(5, from: next + 20)
        let results = try test.inOneBatch(try (2...60).map { try .order($0, 102) })
        #expect(results.allSatisfy { $0.isAccepted })
        #expect(Set(results.compactMap { $0.order }).count == 59)
    }

    @Test func `one row with a number far away does not use up the numbers before it`() throws {
        #expect(try orderWorks())
        try takeOrders(1, from: 9_000_000_000_000_000_000)
        try takeOrders(2, from: 2)
        #expect(try orderWorks())
        #expect(try test.submit(.order(2, 101)).value().order == OrderID(5))
    }

    @Test func `a row that no other number helps against fails its own command as a defect`() throws
    {
        let order = try #require(try test.submit(.order(2, 101)).value().order)
        // Its refund is there already, and the order is still paid.
        try test.database.connect().execute(
            """
            INSERT INTO payment_history (id, user_id, order_id, total_price, pay_method, status)
            VALUES (900, 2, \(order), 2000, 'POINT', 'REFUNDED')
            """)
        let results = try test.inOneBatch([.cancel(order, of: 2), .order(3, 101)])
        #expect(results[0].isDefect && results[1].isAccepted)
        #expect(try orderWorks())
    }

    @Test func `a right that one session lacks costs nothing when the next has it`() throws {
        #expect(try orderWorks())
        let (database, user) = (test.database.name, test.database.user)
        let owner = try test.database.connect()
        try owner.execute("REVOKE INSERT ON \(database).orders FROM '\(user)'@localhost")
        #expect(try test.submit(.order(2, 101)).value().isNotDone)
        try owner.execute("GRANT INSERT ON \(database).orders TO '\(user)'@localhost")
        for _ in 0...20 { #expect(try orderWorks()) }
    }
}
