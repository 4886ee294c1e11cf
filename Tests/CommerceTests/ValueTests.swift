import Testing

@testable import Commerce

@Suite struct Values {
    @Test(arguments: [Int64(1_000), 1_001, 999_999, 1_000_000])
    func `a charge from 1,000 to 1,000,000 won is allowed`(amount: Int64) throws {
        #expect(try ChargeAmount(Won(amount)).won == Won(amount))
    }

    @Test(arguments: [Int64.min, -1_000, -1, 0, 1, 999])
    func `a charge below 1,000 won is below the minimum, zero and negative ones too`(amount: Int64)
    {
        #expect(throws: Refusal.chargeBelowMinimum) { try ChargeAmount(Won(amount)) }
    }

    @Test(arguments: [Int64(1_000_001), .max])
    func `a charge above 1,000,000 won is above the maximum`(amount: Int64) {
        #expect(throws: Refusal.chargeAboveMaximum) { try ChargeAmount(Won(amount)) }
    }

    @Test func `won add, subtract, multiply and compare like whole numbers`() {
        #expect(Won(700) + Won(300) == Won(1_000))
        #expect(Won(700) - Won(1_000) == Won(-300))
        #expect(Won(2_500) * 4 == Won(10_000))
        #expect(Won(-1) < Won.zero && Won.zero < Won(1))
        #expect("\(Won(150_000))" == "150000")
    }

    @Test func `of two states of a product the one with the later stock version is greater`() {
        let sold = Product.Version(stock: 3, product: 1)
        let renamed = Product.Version(stock: 2, product: 9)
        #expect(renamed < sold)
        #expect(!(sold < renamed))
    }

    @Test func `without a sale between them the later edit of a product is greater`() {
        let before = Product.Version(stock: 2, product: 1)
        let after = Product.Version(stock: 2, product: 2)
        #expect(before < after)
        #expect(!(before < before))
    }

    @Test func `a committed product has the next stock version and is otherwise unchanged`() {
        let read = Product(
            id: ProductID(5), name: "감자 샐러드", price: Won(2_000), stock: 7,
            version: Product.Version(stock: 41, product: 3))
        #expect(
            read.committed
                == Product(
                    id: ProductID(5), name: "감자 샐러드", price: Won(2_000), stock: 7,
                    version: Product.Version(stock: 42, product: 3)))
    }

    @Test func `numbers are used in the order in which they were drawn`() {
        var numbers = Numbers()
        numbers.add(orders: [5, 3], payments: [8])
        numbers.add(orders: [9], payments: [2])
        #expect(
            [numbers.nextOrder(), numbers.nextOrder(), numbers.nextOrder()]
                == [OrderID(5), OrderID(3), OrderID(9)])
        #expect([numbers.nextPayment(), numbers.nextPayment()] == [PaymentID(8), PaymentID(2)])
        #expect(numbers.orderNumbers.isEmpty && numbers.paymentNumbers.isEmpty)
    }

    @Test func `identifiers compare and print as their numbers`() {
        #expect(UserID(-3) < UserID(2))
        #expect([ProductID(10), ProductID(9)].sorted() == [ProductID(9), ProductID(10)])
        #expect("\(OrderID(42))" == "42")
    }

    @Test func `a command names its user and, if it is an order, its cart`() throws {
        let charging = try charge(25, 1_000)
        #expect(charging.user == UserID(25))
        #expect(charging.cart == nil)
        let ordering = try order(26, line(101, 2), paying: 4_000)
        #expect(ordering.user == UserID(26))
        #expect(ordering.cart == (try Cart([line(101, 2)])))
        #expect(ordering.canceledOrder == nil && ordering.linesMax == 1)
        let canceling = cancel(7, of: 27)
        #expect(canceling.user == UserID(27) && canceling.cart == nil)
        #expect(canceling.canceledOrder == OrderID(7))
    }
}
