import Testing

@testable import Commerce

@Suite struct Cancels {
    private let shop = TestShop(
        [user(25, points: 1_000, version: 3), user(26, points: 0)],
        [product(101, price: 9_000, stock: 7, version: 11), product(102, stock: 0, version: 12)],
        [
            placed(1, of: 25, [(101, 2, 2_000), (102, 3, 500)], version: 4),
            placed(2, of: 25, [(101, 1, 2_000)], status: .canceled, version: 5),
        ])

    @Test func `a cancel gives points and units back, at the prices that were paid`() {
        let plan = shop.plan(cancel(1, of: 25))
        #expect(plan.outcomes == [.accepted(.canceled(OrderID(1)))])
        #expect(plan.writes.users == [UserID(25): user(25, points: 6_500, version: 3)])
        #expect(
            plan.writes.products == [
                ProductID(101): product(101, price: 9_000, stock: 9, version: 11),
                ProductID(102): product(102, stock: 3, version: 12),
            ])
        #expect(
            plan.writes.payments == [
                Payment(
                    id: PaymentID(7_001), user: UserID(25), amount: Won(5_500),
                    purpose: .refund(OrderID(1)))
            ])
        #expect(
            plan.writes.canceled == [
                placed(1, of: 25, [(101, 2, 2_000), (102, 3, 500)], version: 4)
            ])
        #expect(plan.writes.orders.isEmpty && plan.writes.unitsSold.isEmpty)
        #expect(plan.numbers.orderNumbers.first == 9_001)
    }

    @Test func `an order is canceled once, in one batch too`() {
        let plan = shop.plan(cancel(1, of: 25, key: "a"), cancel(1, of: 25, key: "b"))
        #expect(
            plan.outcomes == [.accepted(.canceled(OrderID(1))), .refused(.orderNotCancelable)])
        #expect(plan.writes.canceled.count == 1)
        #expect(plan.writes.users[UserID(25)]?.points == Won(6_500))
        #expect(plan.writes.keys.map(\.idempotency.key.text) == ["a"])
        #expect(shop.outcome(cancel(2, of: 25)) == .refused(.orderNotCancelable))
    }

    @Test func `an order that is not there, or is somebody else's, is unknown`() {
        #expect(shop.outcome(cancel(3, of: 25)) == .refused(.unknownOrder))
        #expect(shop.outcome(cancel(1, of: 26)) == .refused(.unknownOrder))
        let orphan = TestShop([], [product(1)], [placed(1, of: 25, [(1, 1, 1)])])
        #expect(orphan.outcome(cancel(1, of: 25)) == .refused(.unknownUser))
    }

    @Test func `units that come back are sold to the next of the batch, and the points are spent`()
        throws
    {
        let plan = shop.plan(
            try order(25, line(102, 3), paying: 3_000), cancel(1, of: 25),
            try order(25, line(102, 3), paying: 3_000), try order(25, line(102, 1), paying: 1_000))
        let soldOut = { (requested: Int64) in
            Outcome.refused(
                .outOfStock([
                    Shortage(product: ProductID(102), requested: requested, available: 0)
                ]))
        }
        #expect(
            plan.outcomes == [
                soldOut(3), .accepted(.canceled(OrderID(1))),
                .accepted(.ordered(OrderID(9_001))), soldOut(1),
            ])
        #expect(plan.writes.products[ProductID(102)] == product(102, stock: 0, version: 12))
        #expect(plan.writes.unitsSold == [ProductID(102): 3])
        #expect(plan.writes.users[UserID(25)]?.points == Won(3_500))
    }

    @Test func `units of a product that is no longer on sale come back and are not sold`() throws {
        let shop = TestShop(
            [user(1, points: 9_000)], [product(5, stock: 4, isOnSale: false)],
            [placed(1, of: 1, [(5, 2, 1_000)])])
        let plan = shop.plan(cancel(1, of: 1), try order(1, line(5, 1), paying: 1_000))
        #expect(
            plan.outcomes == [.accepted(.canceled(OrderID(1))), .refused(.unknownProduct)])
        #expect(plan.writes.products[ProductID(5)]?.stock == 6)
    }

    @Test func `what is given back has to have room`() {
        let full = Won.maximumBalance.amount
        let order = placed(1, of: 1, [(5, 2, 1_000)])
        for (points, stock, isAccepted) in [
            (full - 2_000, 0, true), (full - 1_999, 0, false),
            (0, Product.stockMax - 2, true), (0, Product.stockMax - 1, false),
        ] {
            let shop = TestShop([user(1, points: points)], [product(5, stock: stock)], [order])
            let outcome = shop.outcome(cancel(1, of: 1))
            #expect((outcome.receipt != nil) == isAccepted)
            #expect(isAccepted || outcome == .refused(.orderNotCancelable))
        }
        let gone = TestShop([user(1, points: 0)], [], [order])
        #expect(gone.outcome(cancel(1, of: 1)) == .refused(.orderNotCancelable))
    }

    @Test func `a repeated cancel gets the first answer, and other orders have other keys`() throws
    {
        var shop = TestShop(
            [user(1, points: 0)], [product(5)],
            [placed(1, of: 1, [(5, 1, 10)]), placed(2, of: 1, [(5, 1, 10)])])
        _ = shop.submit(cancel(1, of: 1, key: "k"))
        #expect(
            shop.outcome(cancel(1, of: 1, key: "k")) == .replayed(.to(.canceled(OrderID(1)))))
        #expect(shop.outcome(cancel(1, of: 1, key: "k", fingerprint: 1)) == .keyReused)
        #expect(
            shop.outcome(cancel(2, of: 1, key: "k")) == .accepted(.canceled(OrderID(2))))
        let again = cancel(2, of: 1, key: "k")
        #expect(shop.plan(again, again).outcomes[1] == .inProgress)
    }

    @Test func `a moment knows the hour that it is in`() {
        #expect(moment.hour == Moment("2026-01-31 23:00:00"))
        #expect(moment.hour < moment)
    }
}
