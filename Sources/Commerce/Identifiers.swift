/// The number that names one user, product, order or payment.
///
/// The type parameter keeps a product's number from being used as a user's. Any 64-bit number is a
/// valid value; whether something bears it is for the store to say.
public struct ID<Entity>: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let number: Int64

    public init(_ number: Int64) {
        self.number = number
    }

    public var description: String { String(number) }

    public static func < (left: ID, right: ID) -> Bool { left.number < right.number }
}

public typealias UserID = ID<User>
public typealias ProductID = ID<Product>
public typealias OrderID = ID<Order>
public typealias PaymentID = ID<Payment>
