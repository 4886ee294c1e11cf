import Commerce
import MariaDB
import Store
import Testing

/// The corners of group commit: what a batch comes to when its commands, other processes, or the
/// schema get in each other's way.
@Suite struct GroupCommits {
    private let test: LedgerUnderTest

    init() throws {
        test = try LedgerUnderTest()
    }

    @Test func `commands that wait for one commit are committed together`() throws {
        let orders = try (2...41).map { try Command.order($0, 101) }
        let results = try test.inOneBatch(orders)
        let numbers = results.compactMap(\.order)
        #expect(numbers.count == 40)
        #expect(numbers == numbers.sorted())
        #expect(try test.stock(101) == 960)
        // One batch is one version, however many bought; and there were no others.
        #expect(try test.number("SELECT version FROM stock WHERE product_id = 101") == 1)
    }

    @Test func `of two commands with one key in a batch the second is in progress`() throws {
        let charge = try Command.charge(3, 5_000, key: "k")
        let results = try test.inOneBatch([charge, charge])
        #expect(results[0].isAccepted)
        #expect(try results[1].get() == .inProgress)
        #expect(try test.points(3) == 105_000)
        #expect(try test.submit(charge).value().isReplayed)
    }

    @Test func `another request under a key of the same batch is refused`() throws {
        let results = try test.inOneBatch([
            .charge(3, 5_000, key: "k"), .charge(3, 6_000, key: "k"),
        ])
        #expect(results[0].isAccepted)
        #expect(try results[1].get() == .keyReused)
        #expect(try test.points(3) == 105_000)
    }

    @Test func `a key that another process commits meanwhile is replayed, not used again`() throws {
        let charge = try Command.charge(3, 5_000, key: "k")
        let hold = try Hold("SELECT id FROM users WHERE id = 3 FOR UPDATE", in: test.database)
        let mine = test.submit(charge)  // Has read that the key is free, and waits for the user.
        try hold.awaitWaiter()
        try hold.execute(
            """
            INSERT INTO idempotency_key (user_id, scope, idem_key, fingerprint, status, response)
            VALUES (3, 'CHARGE', 'k', UNHEX(SHA2('5000', 256)), 200, 'theirs')
            """)
        try hold.release()
        let outcome = try mine.value().get()
        #expect(outcome == .replayed(StoredAnswer(status: 200, body: Array("theirs".utf8))))
        #expect(try test.points(3) == 100_000)
    }

    @Test func `many commands of one user in a batch all count`() throws {
        let results = try test.inOneBatch(
            (1...20).map { try .charge(3, 1_000 * $0) } + [.order(3, 101, 5), .order(3, 102, 1)])
        #expect(results.allSatisfy { $0.isAccepted })
        #expect(try test.points(3) == 100_000 + 210_000 - 12_000)
        #expect(try test.number("SELECT version FROM users WHERE id = 3") == 1)
        #expect(
            try test.number("SELECT COUNT(*) FROM payment_history WHERE user_id = 3") == 22)
    }

    @Test func `a command that makes its batch fail leaves the others unharmed`() throws {
        let owner = try test.database.connect()
        try owner.execute(
            "ALTER TABLE orders ADD CONSTRAINT not_three CHECK (total_price <> 6000)")
        let results = try test.inOneBatch(
            [.order(2, 101), .order(3, 101, 3), .order(4, 101), .charge(3, 1_000)])
        #expect(results.map(\.isAccepted) == [true, false, true, true])
        #expect(results[1].isDefect)
        #expect(try test.stock(101) == 998)
        #expect(try test.points(3) == 101_000)
        #expect(try test.events(.orderPaid) == results.compactMap(\.order?.number))
        #expect(try test.events(.pointsCharged) == [3, 99])
    }

    @Test func `a lost race is planned again on fresh rows`() throws {
        let hold = try Hold(
            "UPDATE stock SET quantity = 1, version = version + 1 WHERE product_id = 101",
            in: test.database)
        let first = test.submit(try .order(2, 101, 2))  // Has read a stock of 1,000.
        try hold.awaitWaiter()
        try hold.release()
        let shortage = Shortage(product: ProductID(101), requested: 2, available: 1)
        #expect(try first.value().refusal == .outOfStock([shortage]))
        #expect(try test.submit(try .order(2, 101, 1)).value().isAccepted)
        #expect(try test.stock(101) == 0)
        #expect(try test.events(.orderPaid).count == 1)
    }

    @Test func `points that another process changes meanwhile are read again`() throws {
        let hold = try Hold(
            "UPDATE users SET point = 500, version = version + 1 WHERE id = 3", in: test.database)
        let charge = test.submit(try .charge(3, 1_000))  // Has read 100,000 points.
        let order = test.submit(try .order(3, 101))
        try hold.awaitWaiter()
        try hold.release()
        #expect(try charge.value().isAccepted)
        #expect(try order.value().refusal == .insufficientPoints)
        #expect(try test.points(3) == 1_500)
    }

    @Test func `several lanes and processes share a hot product without loss`() throws {
        let owner = try test.database.connect()
        try owner.execute("UPDATE users SET point = 1000000")
        try test.database.reconcile()
        let ledgers = [test.ledger, try test.another(), try test.another()]
        defer { for ledger in ledgers.dropFirst() { ledger.close() } }
        let shared = [ledgers[0], ledgers[1], ledgers[2]]
        let buy: @Sendable (Int, Int) throws -> Ledger.Result = { _, number in
            let promised = Promised()
            shared[number % 3].submit(try .order(Int64(2 + number % 50), 101, 2)) {
                promised.keep($0)
            }
            return try promised.value()
        }
        let results = try inParallel(600, threads: 48, { 0 }, buy)
        #expect(results.count { $0.isAccepted } == 500)
        #expect(results.allSatisfy { $0.isAccepted || $0.refusal != nil })
        #expect(Set(results.compactMap(\.order)).count == 500)
        #expect(try test.stock(101) == 0)
        #expect(try test.number("SELECT COUNT(*) FROM orders") == 500)
        #expect(try test.events(.orderPaid) == results.compactMap(\.order?.number).sorted())
        #expect(try test.database.violations() == [])
    }
}
