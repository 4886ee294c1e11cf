/// A paid order, as it is written.
public struct Order: Hashable, Sendable {
    public struct Line: Hashable, Sendable {
        public let product: ProductID
        public let quantity: Int64
        /// Of one unit, at the time of the sale.
        public let price: Won

        public init(product: ProductID, quantity: Int64, price: Won) {
            self.product = product
            self.quantity = quantity
            self.price = price
        }
    }

    public let id: OrderID
    public let user: UserID
    public let lines: [Line]
    public let total: Won

    public init(id: OrderID, user: UserID, lines: [Line], total: Won) {
        self.id = id
        self.user = user
        self.lines = lines
        self.total = total
    }
}

/// An order as the database has it: what was bought never changes, the status does once.
public struct PlacedOrder: Hashable, Sendable {
    /// The raw value is what the schema stores.
    public enum Status: String, Sendable {
        case paid = "PAID"
        case canceled = "CANCELED"
    }

    public let order: Order
    public var status: Status
    /// Grows by one with every committed change of the status: the optimistic lock.
    public let version: Int64
    /// The best sellers count its units in the hour of this moment.
    public let placedAt: Moment

    public init(_ order: Order, status: Status, version: Int64, placedAt: Moment) {
        self.order = order
        self.status = status
        self.version = version
        self.placedAt = placedAt
    }
}

/// One movement of points, as it is written: every accepted command makes exactly one, so its
/// number also proves whether the command was committed.
public struct Payment: Hashable, Sendable {
    public enum Purpose: Hashable, Sendable {
        case charge
        case order(OrderID)
        /// A canceled order gives its points back.
        case refund(OrderID)
    }

    public let id: PaymentID
    public let user: UserID
    public let amount: Won
    public let purpose: Purpose

    public init(id: PaymentID, user: UserID, amount: Won, purpose: Purpose) {
        self.id = id
        self.user = user
        self.amount = amount
        self.purpose = purpose
    }
}
