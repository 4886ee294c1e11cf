import Testing

@testable import Commerce

@Suite struct IdempotencyKeys {
    private var shop = TestShop(
        [user(1, points: 10_000), user(2, points: 10_000)], [product(1, stock: 1)])

    @Test func `an accepted command keeps its key with fingerprint and receipt`() throws {
        let plan = shop.plan(try charge(1, 1_000, key: "k", fingerprint: 9))
        let key = Idempotency.Key(user: UserID(1), scope: .charge, text: "k")
        #expect(
            plan.writes.keys.map(\.idempotency) == [Idempotency(key: key, fingerprint: [9])])
        #expect(plan.writes.keys.map(\.receipt) == [.charged(user(1, points: 11_000))])
    }

    @Test func `a command without a key keeps none`() throws {
        #expect(shop.plan(try charge(1, 1_000)).writes.keys.isEmpty)
    }

    @Test mutating func `a repeated command gets the first answer and changes nothing`() throws {
        let command = try charge(1, 1_000, key: "k")
        _ = shop.submit(command)
        let plan = shop.plan(command, command)
        let first = StoredAnswer.to(.charged(user(1, points: 11_000)))
        #expect(plan.outcomes == [.replayed(first), .replayed(first)])
        #expect(plan.writes.isEmpty)
        #expect(plan.writes.users.isEmpty && plan.writes.keys.isEmpty)
    }

    @Test mutating func `a repeated order is answered even when nothing is left in stock`() throws {
        let command = try order(1, line(1, 1), paying: 1_000, key: "k")
        _ = shop.submit(command)
        #expect(shop.snapshot.products[ProductID(1)]?.stock == 0)
        #expect(shop.outcome(command) == .replayed(.to(.ordered(OrderID(9_001)))))
    }

    @Test mutating func `a used key with another request is a reused key`() throws {
        _ = shop.submit(try charge(1, 1_000, key: "k"))
        let plan = shop.plan(try charge(1, 2_000, key: "k", fingerprint: 1))
        #expect(plan.outcomes == [.keyReused])
        #expect(plan.writes.isEmpty)
    }

    @Test func `a repetition within the batch is in progress, whatever follows`() throws {
        let command = try charge(1, 1_000, key: "k")
        let plan = shop.plan(command, command, try charge(1, 1_000, key: "other"), command)
        #expect(plan.outcomes[0] == .accepted(.charged(user(1, points: 11_000))))
        #expect(plan.outcomes[1] == .inProgress)
        #expect(plan.outcomes[2] == .accepted(.charged(user(1, points: 12_000))))
        #expect(plan.outcomes[3] == .inProgress)
        #expect(plan.writes.keys.map(\.idempotency.key.text) == ["k", "other"])
        #expect(plan.writes.payments.count == 2)
    }

    @Test func `another request under a key of the batch is a reused key`() throws {
        let plan = shop.plan(
            try charge(1, 1_000, key: "k"), try charge(1, 2_000, key: "k", fingerprint: 1),
            try charge(1, 1_000, key: "k"))
        #expect(plan.outcomes[1] == .keyReused)
        #expect(plan.outcomes[2] == .inProgress)
        #expect(plan.writes.users[UserID(1)]?.points == Won(11_000))
    }

    @Test func `a refused command leaves its key free, for itself and for another request`() throws
    {
        let dear = try order(1, line(1, 1), paying: 7, key: "k")
        let plan = shop.plan(
            dear, dear, try order(1, line(1, 1), paying: 1_000, key: "k", fingerprint: 1))
        let mismatch = Outcome.refused(.priceMismatch(expected: Won(1_000)))
        #expect(plan.outcomes == [mismatch, mismatch, .accepted(.ordered(OrderID(9_001)))])
        #expect(plan.writes.keys.map(\.idempotency.fingerprint) == [[1]])
    }

    @Test func `a key that was refused in one batch is free in the next`() throws {
        let order = try order(1, line(1, 1), paying: 1_000, key: "k")
        var poor = TestShop([user(1, points: 0)], [product(1)])
        #expect(poor.submit(order) == [.refused(.insufficientPoints)])
        _ = poor.submit(try charge(1, 1_000, key: "money"))
        #expect(poor.submit(order) == [.accepted(.ordered(OrderID(9_001)))])
    }

    @Test mutating func `the same text of another user or on another route is another key`() throws
    {
        _ = shop.submit(try charge(1, 1_000, key: "k"))
        let plan = shop.plan(
            try charge(2, 1_000, key: "k"), try order(1, line(1, 1), paying: 1_000, key: "k"))
        #expect(plan.outcomes.allSatisfy { $0.receipt != nil })
        #expect(plan.writes.keys.count == 2)
    }

    @Test func `keys differ by case and by every character`() throws {
        let plan = shop.plan(
            try charge(1, 1_000, key: "key"), try charge(1, 1_000, key: "KEY"),
            try charge(1, 1_000, key: "key "))
        #expect(plan.writes.keys.count == 3)
    }

    @Test func `the same request without a key is carried out every time`() throws {
        let command = try charge(1, 1_000)
        let plan = shop.plan(command, command)
        #expect(plan.writes.users[UserID(1)]?.points == Won(12_000))
    }
}
