public import Commerce

/// How the shop's facts are written for clients.
///
/// The store keeps rendered bytes in its caches and beside idempotency keys, but what they look
/// like is the API's business: it hands these functions in.
public struct Renderer: Sendable {
    public let product: @Sendable (Product) -> [UInt8]
    public let bestSellers: @Sendable ([BestSeller]) -> [UInt8]
    public let receipt: @Sendable (Receipt) -> StoredAnswer

    public init(
        product: @escaping @Sendable (Product) -> [UInt8],
        bestSellers: @escaping @Sendable ([BestSeller]) -> [UInt8],
        receipt: @escaping @Sendable (Receipt) -> StoredAnswer
    ) {
        self.product = product
        self.bestSellers = bestSellers
        self.receipt = receipt
    }
}
