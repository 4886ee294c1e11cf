/// A paid order, as it is written.
public struct Order: Hashable, Sendable {
    public struct Line: Hashable, Sendable {
        public let product: ProductID
        public let quantity: Int64
        /// Of one unit, at the time of the sale.
        public let price: Won
    }

    public let id: OrderID
    public let user: UserID
    public let lines: [Line]
    public let total: Won
}

/// One movement of points, as it is written: every accepted command makes exactly one, so its
/// number also proves whether the command was committed.
public struct Payment: Hashable, Sendable {
    public enum Purpose: Hashable, Sendable {
        case charge
        case order(OrderID)
    }

    public let id: PaymentID
    public let user: UserID
    public let amount: Won
    public let purpose: Purpose
}
