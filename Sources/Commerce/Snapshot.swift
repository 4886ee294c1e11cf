/// The part of the shop that a batch of commands touches, as the database had it.
public struct Snapshot: Sendable {
    /// A used idempotency key.
    public struct KeyRecord: Sendable {
        public let fingerprint: [UInt8]
        public let answer: StoredAnswer

        public init(fingerprint: [UInt8], answer: StoredAnswer) {
            self.fingerprint = fingerprint
            self.answer = answer
        }
    }

    public var users: [UserID: User]
    public var products: [ProductID: Product]
    /// Those that are to be canceled.
    public var orders: [OrderID: PlacedOrder]
    public var keys: [Idempotency.Key: KeyRecord]

    public init(
        users: [UserID: User] = [:], products: [ProductID: Product] = [:],
        orders: [OrderID: PlacedOrder] = [:], keys: [Idempotency.Key: KeyRecord] = [:]
    ) {
        self.users = users
        self.products = products
        self.orders = orders
        self.keys = keys
    }
}

/// Numbers drawn for the orders and payments of a batch. What a plan does not use can be used by a
/// later one.
public struct Numbers: Sendable {
    public private(set) var orderNumbers: ArraySlice<Int64> = []
    public private(set) var paymentNumbers: ArraySlice<Int64> = []

    public init() {}

    /// Adds numbers, to be used after those that are there.
    public mutating func add(orders: [Int64] = [], payments: [Int64] = []) {
        orderNumbers += orders
        paymentNumbers += payments
    }

    mutating func nextOrder() -> OrderID {
        guard let number = orderNumbers.popFirst() else {
            preconditionFailure("a number is drawn for every order of a batch")
        }
        return OrderID(number)
    }

    mutating func nextPayment() -> PaymentID {
        guard let number = paymentNumbers.popFirst() else {
            preconditionFailure("a number is drawn for every command of a batch")
        }
        return PaymentID(number)
    }
}
