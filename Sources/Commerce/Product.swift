/// Something the shop sells, with what is left of it.
public struct Product: Hashable, Sendable {
    public let id: ProductID
    public let name: String
    public let price: Won
    /// Units that can still be sold.
    public var stock: Int64
    public let version: Version
    /// Whether it is to be had. Units of one that is not any more can still come back.
    public let isOnSale: Bool

    /// The most units of one product that there may be: 10¹², as the schema's CHECK has it.
    public static let stockMax: Int64 = 1_000_000_000_000

    /// What one unit may cost, as the schema's CHECK has it.
    public static let prices: ClosedRange<Int64> = 0...1_000_000_000

    public init(
        id: ProductID, name: String, price: Won, stock: Int64, version: Version,
        isOnSale: Bool = true
    ) {
        self.id = id
        self.name = name
        self.price = price
        self.stock = stock
        self.version = version
        self.isOnSale = isOnSale
    }

    /// The product as it is once its changed stock is committed.
    public var committed: Product {
        let next = Version(stock: version.stock + 1, product: version.product)
        return Product(
            id: id, name: name, price: price, stock: stock, version: next, isOnSale: isOnSale)
    }

    /// The state of a product: of two, the one that compares greater was committed later.
    ///
    /// The stock changes with every sale and its version guards it, so it is compared first. The
    /// product's own version changes when its name or price is edited.
    public struct Version: Hashable, Comparable, Sendable {
        public let stock: Int64
        public let product: Int64

        public init(stock: Int64, product: Int64) {
            self.stock = stock
            self.product = product
        }

        public static func < (left: Version, right: Version) -> Bool {
            (left.stock, left.product) < (right.stock, right.product)
        }
    }
}

/// A product among the best sellers, with the units sold in the last 72 hours.
public struct BestSeller: Hashable, Sendable {
    public let id: ProductID
    public let name: String
    public let unitsSold: Int64

    public init(id: ProductID, name: String, unitsSold: Int64) {
        self.id = id
        self.name = name
        self.unitsSold = unitsSold
    }
}
