public import Commerce
import MariaDB
import Memcached

/// Reads of products, through a cache that never shows less than what was answered to a buyer.
///
/// An entry holds the rendered product and its version. After a commit, and before the buyer is
/// answered, the ledger puts the new version in (``refresh(_:)``); a reader that missed only ever
/// adds. So a read that begins after an order was answered shows that order, and a slow reader
/// cannot bring old stock back.
public struct Catalogue: Sendable {
    let pool: Pool
    let cache: Cache
    let renderer: Renderer
    private let cachedPages: ReadGroup<ProductID, Page>
    private let storedPages: ReadGroup<ProductID, Page>
    private let measurements: CacheMeasurements

    /// What a memcached outage can leave behind is gone after this time.
    private static let expirySeconds = 2
    /// A reader that took longer fills nothing: what an order has put in meanwhile may have expired
    /// by then, and nothing would say that the reader's stock is old. memcached counts in whole
    /// seconds, so an entry of ``expirySeconds`` lives for one second at least.
    private static let fillLimit = Duration.milliseconds(500)
    /// How often a refresh tries again when others write the same entry.
    private static let refreshAttemptsMax = 8

    /// A product as clients see it.
    public struct Page: Sendable {
        public let version: Product.Version
        public let body: [UInt8]
    }

    init(pool: Pool, cache: Cache, renderer: Renderer) {
        self.pool = pool
        self.cache = cache
        self.renderer = renderer
        let measurements = CacheMeasurements(of: "product")
        self.measurements = measurements
        cachedPages = ReadGroup { ids in Self.cachedPages(of: ids, in: cache, measurements) }
        storedPages = ReadGroup { ids in
            try Self.storedPages(
                of: ids, pool: pool, cache: cache, renderer: renderer, measurements)
        }
    }

    /// Reads a product as it is now, or nil when there is no such product, and tells it on some
    /// reader's thread.
    ///
    /// Fails with `DatabaseError` when the product is not cached and the database cannot answer.
    public func page(
        _ id: ProductID, then: @escaping @Sendable (Result<Page?, any Error>) -> Void
    ) {
        cachedPages.read(id) { cached in
            guard case .success(nil) = cached else { return then(cached) }
            storedPages.read(id, then: then)
        }
    }

    private static func cachedPages(
        of ids: [ProductID], in cache: Cache, _ measurements: CacheMeasurements
    ) -> [ProductID: Page] {
        let keys = ids.map { key($0, in: cache) }
        let found = cache.ask { memcached throws(Unavailable) in try memcached.gets(keys) }
        if cache.isPresent { measurements.lookedUp(keys.count, found: found?.count) }
        var pages: [ProductID: Page] = [:]
        for (id, key) in zip(ids, keys) {
            if let entry = found?[key] { pages[id] = page(in: entry, at: key, of: cache) }
        }
        return pages
    }

    /// - Returns: nil for an entry without a token: nobody could keep it from being old, so where
    ///   memcached has none (`-C`) products are not cached. An entry that no ``Page/entry`` is, is
    ///   deleted, unless it has been put right meanwhile.
    private static func page(
        in entry: Memcached.Entry, at key: String, of cache: Cache
    ) -> Page? {
        guard let token = entry.cas else { return nil }
        if let page = Page(entry: entry.value) { return page }
        _ = cache.ask { memcached throws(Unavailable) in
            try memcached.delete(key, token: token)
        }
        return nil
    }

    private static func storedPages(
        of ids: [ProductID], pool: Pool, cache: Cache, renderer: Renderer,
        _ measurements: CacheMeasurements
    ) throws -> [ProductID: Page] {
        let start = ContinuousClock.now
        let products = try pool.withConnection { connection in try read(ids, on: connection) }
        var pages: [ProductID: Page] = [:]
        for product in products where product.isOnSale {
            let page = Page(version: product.version, body: renderer.product(product))
            pages[product.id] = page
            guard start.duration(to: .now) < fillLimit else { continue }
            let isAdded = cache.ask { memcached throws(Unavailable) in
                try memcached.add(
                    key(product.id, in: cache), page.entry, expirySeconds: expirySeconds)
            }
            if isAdded == true { measurements.filled() }
        }
        return pages
    }

    /// Reads products, those that are not on sale any more too.
    static func read(
        _ ids: [ProductID], on connection: Connection
    ) throws(DatabaseError) -> [Product] {
        try Batch.asking(about: ids.map(\.value)) { places, ids throws(DatabaseError) in
            try connection.query(
                """
                SELECT \(columns) FROM product p JOIN stock s ON s.product_id = p.id
                WHERE p.id IN (\(places))
                """, ids, Self.product)
        }
    }

    /// Of `product p` and `stock s`, as ``product(_:)`` decodes them.
    static let columns = """
        p.id, p.name, p.price, s.quantity, s.version, p.version, NOT (p.is_delete OR s.is_delete)
        """

    static func product(_ row: borrowing Row) throws(DatabaseError) -> Product {
        Product(
            id: ProductID(try row.integer(0)), name: try row.text(1),
            price: Won(try row.integer(2, in: Product.prices)), stock: try row.integer(3),
            version: Product.Version(
                stock: try row.version(4), product: try row.integer(5)),
            isOnSale: try row.integer(6) != 0)
    }

    /// What products are called now, also those that are not on sale any more.
    static func names(
        of ids: [ProductID], on connection: Connection
    ) throws(DatabaseError) -> [ProductID: String] {
        let names = try Batch.asking(about: ids.map(\.value)) { places, ids throws(DatabaseError) in
            try connection.query("SELECT id, name FROM product WHERE id IN (\(places))", ids) {
                row throws(DatabaseError) in (ProductID(try row.integer(0)), try row.text(1))
            }
        }
        return Dictionary(names) { first, _ in first }
    }

    /// Locks the stock of products until the transaction ends.
    static func lockStock(
        of ids: [ProductID], on connection: Connection
    ) throws(DatabaseError) {
        _ = try Batch.changing(ids.map(\.value)) { places, ids throws(DatabaseError) in
            try connection.execute(
                """
                SELECT product_id FROM stock WHERE product_id IN (\(places))
                ORDER BY product_id FOR UPDATE
                """, ids)
        }
    }

    // MARK: - The cache

    /// Shows committed products to all later readers.
    func refresh(_ products: [Product]) {
        guard !products.isEmpty else { return }
        let keys = products.map { Self.key($0.id, in: cache) }
        let found = cache.ask { memcached throws(Unavailable) in try memcached.gets(keys) }
        guard let found else { return }
        for (product, key) in zip(products, keys) {
            let page = Page(version: product.version, body: renderer.product(product))
            let isPut: Void? = cache.ask { memcached throws(Unavailable) in
                try Self.replace(found[key], at: key, with: page, in: memcached)
            }
            if isPut != nil { measurements.filled() }
        }
    }

    /// - Parameter found: what was there a moment ago.
    static func replace(
        _ found: Memcached.Entry?, at key: String, with page: Page, in memcached: Memcached
    ) throws(Unavailable) {
        var found = found
        for _ in 0..<refreshAttemptsMax {
            if try put(page, at: key, over: found, in: memcached) { return }
            found = try memcached.gets(key)
        }
        // So many others write this entry that only its absence is certain to be right.
        _ = try memcached.delete(key)
    }

    /// - Returns: false when somebody else changed the entry meanwhile.
    private static func put(
        _ page: Page, at key: String, over found: Memcached.Entry?, in memcached: Memcached
    ) throws(Unavailable) -> Bool {
        guard let found else {
            return try memcached.add(key, page.entry, expirySeconds: expirySeconds)
        }
        guard let token = found.cas else { return true }  // Nobody is shown it.
        if let present = Page(entry: found.value), present.version >= page.version { return true }
        let result = try memcached.cas(
            key, page.entry, expirySeconds: expirySeconds, token: token)
        return result == .stored
    }

    private static func key(_ id: ProductID, in cache: Cache) -> String {
        cache.key("product.\(id)")
    }
}

extension Catalogue.Page {
    /// `STOCK_VERSION PRODUCT_VERSION\nBODY`
    var entry: [UInt8] {
        Array("\(version.stock) \(version.product)\n".utf8) + body
    }

    /// - Returns: nil for bytes that ``entry`` did not make.
    init?(entry: [UInt8]) {
        guard let newline = entry.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let versions = entry[..<newline].split(
            separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        let body = entry[(newline + 1)...]
        guard versions.count == 2, let stock = Int64(digits: versions[0]),
            let product = Int64(digits: versions[1]), isDocument(body)
        else { return nil }
        self.init(
            version: Product.Version(stock: stock, product: product), body: Array(body))
    }
}
