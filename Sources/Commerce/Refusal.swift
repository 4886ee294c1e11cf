/// Why the shop says no to a well-formed command. A refused command changes nothing.
public enum Refusal: Error, Hashable, Sendable {
    case unknownUser
    case chargeBelowMinimum
    case chargeAboveMaximum
    case unknownProduct
    /// The buyer agreed to another sum than the products cost now.
    case priceMismatch(expected: Won)
    /// Every line that asks for more than there is.
    case outOfStock([Shortage])
    case insufficientPoints
    case unknownOrder
    /// It was canceled before, or what it would give back has no room.
    case orderNotCancelable
}

/// An order line that cannot be served.
public struct Shortage: Hashable, Sendable {
    public let product: ProductID
    public let requested: Int64
    public let available: Int64

    public init(product: ProductID, requested: Int64, available: Int64) {
        self.product = product
        self.requested = requested
        self.available = available
    }
}
