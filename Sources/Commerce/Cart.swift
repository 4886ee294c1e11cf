/// What a buyer wants: at least one product, each on one line.
public struct Cart: Hashable, Sendable {
    /// Lines a request may carry.
    public static let linesMax = 100
    /// Units that one line of a request may ask for.
    public static let quantityMax: Int64 = 1_000_000

    public struct Line: Hashable, Sendable {
        public let product: ProductID
        public let quantity: Int64

        public init(product: ProductID, quantity: Int64) {
            self.product = product
            self.quantity = quantity
        }
    }

    /// In the order of the request; no product twice.
    public let lines: [Line]

    /// Makes the lines of one product one line of the summed quantity.
    ///
    /// - Throws: ``Malformed`` when there are no lines, more than ``linesMax``, or a quantity
    ///   outside 1...``quantityMax``.
    public init(_ requested: [Line]) throws(Malformed) {
        guard !requested.isEmpty else { throw Malformed("An order has at least one product.") }
        guard requested.count <= Self.linesMax else {
            throw Malformed("An order has at most \(Self.linesMax) products.")
        }
        var quantities: [ProductID: Int64] = [:]
        for line in requested {
            guard (1...Self.quantityMax).contains(line.quantity) else {
                throw Malformed("A quantity is a whole number from 1 to 1,000,000.")
            }
            quantities[line.product, default: 0] += line.quantity
        }
        lines = requested.compactMap { line in
            quantities.removeValue(forKey: line.product).map { quantity in
                Line(product: line.product, quantity: quantity)
            }
        }
    }
}

/// A request that does not say what it wants; `reason` is a sentence for the client.
public struct Malformed: Error, Hashable {
    public let reason: String

    public init(_ reason: String) {
        self.reason = reason
    }
}
