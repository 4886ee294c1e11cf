import Testing

@testable import Commerce

@Suite struct Orders {
    private let shop = TestShop(
        [user(25, points: 100_000, version: 3)],
        [
            product(101, price: 2_000, stock: 1_000, version: 11),
            product(102, price: 2_500, stock: 9, version: 12),
            product(103, price: 0, stock: 5, version: 13),
        ])

    @Test func `an order takes stock and points and is written with its lines and one payment`()
        throws
    {
        let plan = shop.plan(
            try order(25, line(102, 2), line(101, 1), line(102, 1), paying: 9_500))
        #expect(plan.outcomes == [.accepted(.ordered(OrderID(9_001)))])
        #expect(
            plan.writes.orders == [
                Order(
                    id: OrderID(9_001), user: UserID(25),
                    lines: [
                        Order.Line(product: ProductID(102), quantity: 3, price: Won(2_500)),
                        Order.Line(product: ProductID(101), quantity: 1, price: Won(2_000)),
                    ], total: Won(9_500))
            ])
        #expect(
            plan.writes.payments == [
                Payment(
                    id: PaymentID(7_001), user: UserID(25), amount: Won(9_500),
                    purpose: .order(OrderID(9_001)))
            ])
        #expect(plan.writes.users == [UserID(25): user(25, points: 90_500, version: 3)])
        #expect(
            plan.writes.products == [
                ProductID(101): product(101, price: 2_000, stock: 999, version: 11),
                ProductID(102): product(102, price: 2_500, stock: 6, version: 12),
            ])
        #expect(plan.writes.unitsSold == [ProductID(101): 1, ProductID(102): 3])
    }

    @Test func `products for nothing are sold to a buyer without points`() throws {
        let shop = TestShop([user(1, points: 0)], [product(103, price: 0, stock: 5)])
        let plan = shop.plan(try order(1, line(103, 5), paying: 0))
        #expect(plan.outcomes == [.accepted(.ordered(OrderID(9_001)))])
        #expect(plan.writes.payments.map(\.amount) == [Won.zero])
        #expect(plan.writes.products[ProductID(103)]?.stock == 0)
        #expect(!plan.writes.isEmpty)
    }

    @Test func `the last unit and the last point can be spent`() throws {
        let shop = TestShop([user(1, points: 3_000)], [product(1, price: 1_000, stock: 3)])
        let plan = shop.plan(try order(1, line(1, 3), paying: 3_000))
        #expect(plan.outcomes == [.accepted(.ordered(OrderID(9_001)))])
        #expect(plan.writes.users[UserID(1)]?.points == .zero)
        #expect(plan.writes.products[ProductID(1)]?.stock == 0)
    }

    @Test(arguments: [Int64.min, -9_500, 0, 9_499, 9_501, .max])
    func `an order that pays another sum is told the sum expected`(payment: Int64) throws {
        let command = try order(25, line(102, 3), line(101, 1), paying: payment)
        #expect(shop.outcome(command) == .refused(.priceMismatch(expected: Won(9_500))))
    }

    @Test func `every short line is listed, in the cart's order, with what is left`() throws {
        let command = try order(
            25, line(103, 6), line(101, 1), line(102, 5), line(102, 5), paying: 27_000)
        #expect(
            shop.outcome(command)
                == .refused(
                    .outOfStock([
                        Shortage(product: ProductID(103), requested: 6, available: 5),
                        Shortage(product: ProductID(102), requested: 10, available: 9),
                    ])))
    }

    @Test func `one won too few is too few`() throws {
        let shop = TestShop([user(1, points: 2_999)], [product(1, price: 1_000)])
        #expect(
            shop.outcome(try order(1, line(1, 3), paying: 3_000)) == .refused(.insufficientPoints))
    }

    @Test func `an unknown product is refused wherever it stands in the cart`() throws {
        for lines in [[line(999, 1), line(101, 1)], [line(101, 1), line(999, 1)]] {
            let command = Command(
                .order(user: UserID(25), try Cart(lines), payment: Won(2_000)))
            #expect(shop.outcome(command) == .refused(.unknownProduct))
        }
    }

    @Test func `a refused order is without trace`() throws {
        let plan = shop.plan(
            try order(26, line(101, 1), paying: 2_000), try order(25, line(999, 1), paying: 0),
            try order(25, line(101, 1), paying: 1), try order(25, line(103, 6), paying: 0),
            try order(25, line(101, 51), paying: 102_000))
        #expect(
            plan.outcomes == [
                .refused(.unknownUser), .refused(.unknownProduct),
                .refused(.priceMismatch(expected: Won(2_000))),
                .refused(
                    .outOfStock([Shortage(product: ProductID(103), requested: 6, available: 5)])),
                .refused(.insufficientPoints),
            ])
        #expect(plan.writes.isEmpty)
        #expect(plan.writes.users.isEmpty && plan.writes.products.isEmpty)
        #expect(plan.writes.orders.isEmpty && plan.writes.unitsSold.isEmpty)
        #expect(plan.writes.keys.isEmpty)
        #expect(plan.numbers.orderNumbers.first == 9_001)
        #expect(plan.numbers.paymentNumbers.first == 7_001)
    }

    @Test func `the dearest order that a request can ask for is summed without overflow`() throws {
        let dear = (1...100).map { product($0, price: 1_000_000_000, stock: 1_000_000) }
        let shop = TestShop([user(1, points: Won.maximumBalance.amount)], dear)
        let cart = try Cart((1...100).map { line($0, 1_000_000) })
        let total = Won(100_000_000_000_000_000)
        let command = Command(.order(user: UserID(1), cart, payment: total))
        #expect(shop.outcome(command) == .refused(.insufficientPoints))
        let cheap = Command(.order(user: UserID(1), cart, payment: .zero))
        #expect(shop.outcome(cheap) == .refused(.priceMismatch(expected: total)))
    }
}

/// Where several refusals apply: user, product, price, stock, points.
@Suite struct OrderOfRefusals {
    private let shop = TestShop([user(1, points: 500)], [product(1, price: 1_000, stock: 1)])

    @Test func `the user is judged before the product`() throws {
        #expect(shop.outcome(try order(2, line(9, 2), paying: 7)) == .refused(.unknownUser))
    }

    @Test func `the product is judged before the price`() throws {
        let command = try order(1, line(1, 2), line(9, 2), paying: 7)
        #expect(shop.outcome(command) == .refused(.unknownProduct))
    }

    @Test func `the price is judged before the stock`() throws {
        let command = try order(1, line(1, 2), paying: 7)
        #expect(shop.outcome(command) == .refused(.priceMismatch(expected: Won(2_000))))
    }

    @Test func `the stock is judged before the points`() throws {
        let shortage = Shortage(product: ProductID(1), requested: 2, available: 1)
        let command = try order(1, line(1, 2), paying: 2_000)
        #expect(shop.outcome(command) == .refused(.outOfStock([shortage])))
    }

    @Test func `the points are judged last`() throws {
        let command = try order(1, line(1, 1), paying: 1_000)
        #expect(shop.outcome(command) == .refused(.insufficientPoints))
    }

    @Test func `the key is judged before the user`() throws {
        var shop = TestShop([user(1, points: 5_000)], [product(1)])
        _ = shop.submit(try order(1, line(1, 1), paying: 1_000, key: "k"))
        let command = try order(1, line(9, 1), paying: 1_000, key: "k", fingerprint: 1)
        #expect(shop.outcome(command) == .keyReused)
    }
}
