import Testing

@testable import Commerce

@Suite struct Batches {
    @Test func `an empty batch has no outcomes and writes nothing`() {
        let plan = TestShop([user(1, points: 0)]).plan([])
        #expect(plan.outcomes.isEmpty)
        #expect(plan.writes.isEmpty)
    }

    @Test func `a hundred buyers cannot buy eleven of ten`() throws {
        let shop = TestShop(
            (1...100).map { user($0, points: 1_000) }, [product(1, stock: 10, version: 5)])
        let plan = shop.plan(try (1...100).map { try order($0, line(1, 1), paying: 1_000) })
        let soldOut = Shortage(product: ProductID(1), requested: 1, available: 0)
        #expect(plan.outcomes.prefix(10).allSatisfy { $0.receipt != nil })
        #expect(plan.outcomes.dropFirst(10).allSatisfy { $0 == .refused(.outOfStock([soldOut])) })
        #expect(plan.writes.products == [ProductID(1): product(1, stock: 0, version: 5)])
        #expect(plan.writes.unitsSold == [ProductID(1): 10])
        #expect(plan.writes.users.keys.map(\.number).sorted() == Array(1...10))
    }

    @Test func `a large order that no longer fits leaves the rest to a smaller one`() throws {
        let shop = TestShop([user(1, points: 50_000)], [product(1, stock: 5)])
        let plan = shop.plan(
            try order(1, line(1, 3), paying: 3_000), try order(1, line(1, 3), paying: 3_000),
            try order(1, line(1, 2), paying: 2_000))
        #expect(
            plan.outcomes == [
                .accepted(.ordered(OrderID(9_001))),
                .refused(
                    .outOfStock([Shortage(product: ProductID(1), requested: 3, available: 2)])),
                .accepted(.ordered(OrderID(9_002))),
            ])
        #expect(plan.writes.unitsSold == [ProductID(1): 5])
    }

    @Test func `an order with one short line takes nothing of its other lines`() throws {
        let shop = TestShop([user(1, points: 50_000)], [product(1), product(2, stock: 0)])
        let plan = shop.plan(
            try order(1, line(1, 10), line(2, 1), paying: 11_000),
            try order(1, line(1, 10), paying: 10_000))
        #expect(plan.outcomes[0].receipt == nil)
        #expect(plan.outcomes[1] == .accepted(.ordered(OrderID(9_001))))
    }

    @Test func `points that a charge brings pay the next order of the batch`() throws {
        let shop = TestShop([user(1, points: 0, version: 8)], [product(1, price: 1_500)])
        let ordering = try order(1, line(1, 1), paying: 1_500)
        let plan = shop.plan(ordering, try charge(1, 2_000), ordering, ordering)
        #expect(
            plan.outcomes == [
                .refused(.insufficientPoints),
                .accepted(.charged(user(1, points: 2_000, version: 8))),
                .accepted(.ordered(OrderID(9_001))), .refused(.insufficientPoints),
            ])
        #expect(plan.writes.users == [UserID(1): user(1, points: 500, version: 8)])
        #expect(plan.writes.payments.map(\.purpose) == [.charge, .order(OrderID(9_001))])
    }

    @Test func `a row is written once with the version that was read, however often it changed`()
        throws
    {
        let shop = TestShop(
            [user(1, points: 50_000, version: 21)], [product(1, stock: 50, version: 34)])
        let plan = shop.plan(
            try (1...20).map { _ in try order(1, line(1, 1), paying: 1_000) }
                + [try charge(1, 1_000)])
        #expect(plan.writes.users == [UserID(1): user(1, points: 31_000, version: 21)])
        #expect(plan.writes.products == [ProductID(1): product(1, stock: 30, version: 34)])
        #expect(plan.writes.orders.count == 20)
        #expect(plan.writes.payments.count == 21)
    }

    @Test func `users and products that nobody touched are not written`() throws {
        let shop = TestShop(
            [user(1, points: 9_000), user(2, points: 9_000)], [product(1), product(2)])
        let plan = shop.plan(
            try order(1, line(1, 1), paying: 1_000), try order(2, line(2, 1), paying: 1))
        #expect(Array(plan.writes.users.keys) == [UserID(1)])
        #expect(Array(plan.writes.products.keys) == [ProductID(1)])
    }

    @Test func `a plan gives back the numbers that it did not use`() throws {
        let shop = TestShop([user(1, points: 9_000)], [product(1)])
        let plan = shop.plan(
            try order(1, line(1, 1), paying: 1_000), try order(1, line(1, 1), paying: 1),
            try charge(1, 1_000))
        #expect(plan.numbers.orderNumbers.first == 9_002)
        #expect(plan.numbers.paymentNumbers.first == 7_003)
    }
}
