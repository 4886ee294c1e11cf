/// The rows that a plan wants written, all in one transaction or not at all.
///
/// A touched user, product or canceled order carries the version that was read: its row may only be
/// written while the database still has that version.
public struct Writes: Sendable {
    public struct Key: Sendable {
        public let idempotency: Idempotency
        public let receipt: Receipt
    }

    public internal(set) var users: [UserID: User] = [:]
    public internal(set) var products: [ProductID: Product] = [:]
    public internal(set) var unitsSold: [ProductID: Int64] = [:]
    public internal(set) var orders: [Order] = []
    /// They give units back to the products, and take them out of the sales of their hours.
    public internal(set) var canceled: [PlacedOrder] = []
    public internal(set) var payments: [Payment] = []
    public internal(set) var keys: [Key] = []
    /// One an accepted command, in the order of the commands.
    public internal(set) var events: [EventDraft] = []

    /// Every accepted command makes a payment: without one nothing was accepted.
    public var isEmpty: Bool { payments.isEmpty }
}
