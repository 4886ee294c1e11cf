import Commerce
public import MariaDB
import Memcached
import Threads

/// The best sellers of the last three days, cached.
///
/// One entry holds the list, another says that it is fresh. Whoever finds it stale and adds that
/// second entry computes the list again; everybody else is served the old one meanwhile. A worker
/// computes it before it gets stale.
public struct BestSellers: Sendable {
    let pool: Pool
    let cache: Cache
    let renderer: Renderer
    private let measurements = CacheMeasurements(of: "popular")

    /// How many are shown.
    private static let count: Int64 = 5
    /// The age at which one reader computes the list again.
    private static let freshSeconds = 3
    /// Shorter by more than memcached's clock, which counts whole seconds.
    public static let warmSeconds = 1
    /// For which it is shown while nobody can compute it.
    private static let expirySeconds = 600
    private static let windowHours: Int64 = 72
    /// Hourly sums taken out of the window in one transaction.
    private static let expiredRowsMax: Int64 = 500

    public init(pool: Pool, cache: Cache, renderer: Renderer) {
        self.pool = pool
        self.cache = cache
        self.renderer = renderer
    }

    /// - Returns: the rendered list; one that is no longer fresh while somebody else computes it,
    ///   or while nobody can.
    /// - Throws: `DatabaseError` when there is no list at all and the database cannot answer.
    public func page() throws -> [UInt8] {
        let (listKey, freshKey) = (cache.key("popular"), cache.key("popular.fresh"))
        let cached = cache.ask { memcached throws(Unavailable) in
            try memcached.gets([listKey, freshKey])
        }
        let list = (cached?[listKey]?.value).flatMap { isDocument($0) ? $0 : nil }
        if cache.isPresent {
            measurements.lookedUp(1, found: cached == nil ? nil : list == nil ? 0 : 1)
        }
        if let list, cached?[freshKey] != nil || !takesTurn(freshKey) { return list }
        do {
            return try compute()
        } catch {
            guard let list else { throw error }
            return list
        }
    }

    /// Computes the list for those who will ask. Where somebody does so at least every
    /// ``warmSeconds``, no reader has to.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func warm() throws {
        if cache.isAvailable == true { _ = try compute() }
    }

    private func compute() throws -> [UInt8] {
        let list = renderer.bestSellers(try read())
        let isPut: Void? = cache.ask { memcached throws(Unavailable) in
            try memcached.set(cache.key("popular"), list, expirySeconds: Self.expirySeconds)
            try memcached.set(
                cache.key("popular.fresh"), [], expirySeconds: Self.freshSeconds)
        }
        if isPut != nil { measurements.filled() }
        return list
    }

    /// - Returns: whether it is this reader who computes the list.
    private func takesTurn(_ freshKey: String) -> Bool {
        cache.ask { memcached throws(Unavailable) in
            try memcached.add(freshKey, [], expirySeconds: Self.freshSeconds)
        } ?? true
    }

    private func read() throws -> [BestSeller] {
        try pool.withConnection { connection in
            try connection.query(
                """
                SELECT p.id, p.name, w.quantity
                FROM sale_window w FORCE INDEX (sale_window_best)
                STRAIGHT_JOIN product p ON p.id = w.product_id
                WHERE w.quantity > 0 AND NOT p.is_delete
                ORDER BY w.quantity DESC, w.product_id LIMIT ?
                """, [.integer(Self.count)]
            ) { row throws(DatabaseError) in
                BestSeller(
                    id: ProductID(try row.integer(0)), name: try row.text(1),
                    unitsSold: try row.integer(2))
            }
        }
    }

    // MARK: - The window

    /// Takes the hours that have left the window out of its sums, a slice at a time.
    ///
    /// Done by a thread of its own and not by readers, whom a long night without readers would
    /// make wait for minutes. A deleted row is subtracted in the same transaction, so however many
    /// processes do this at once, each row is subtracted once.
    ///
    /// - Parameter milliseconds: after which no further slice begins.
    public func moveWindow(within milliseconds: Int) throws {
        let deadline = MonotonicTime.now.advanced(byMilliseconds: milliseconds)
        var expired = Int(Self.expiredRowsMax)
        while expired == Self.expiredRowsMax && .now < deadline {
            expired = try withRetries { _ in
                try pool.withConnection { try expireSlice(on: $0) }
            }
        }
    }

    private func expireSlice(on connection: Connection) throws -> Int {
        let isDue = try connection.query(
            "SELECT 1 FROM sale_hourly WHERE hour < \(Self.windowStart) LIMIT 1"
        ) { row throws(DatabaseError) in try row.integer(0) }
        if isDue.isEmpty { return 0 }
        return try connection.transaction { connection in
            let sold = try connection.query(
                """
                DELETE FROM sale_hourly WHERE hour < \(Self.windowStart)
                ORDER BY hour, product_id LIMIT \(Self.expiredRowsMax)
                RETURNING product_id, quantity
                """
            ) { row throws(DatabaseError) in (try row.integer(0), try row.integer(1)) }
            // A sum that overflows is too much for the window, which refuses it.
            let sums = Dictionary(sold) { one, other in
                let (sum, isTooLarge) = one.addingReportingOverflow(other)
                return isTooLarge ? .max : sum
            }.sorted { $0.key < $1.key }
            _ = try connection.executeBulk(
                "UPDATE sale_window SET quantity = quantity - ? WHERE product_id = ?",
                sums.map { [.integer($0.value), .integer($0.key)] })
            return sold.count
        }
    }

    /// The first hour that counts.
    private static let windowStart =
        "DATE_FORMAT(UTC_TIMESTAMP() - INTERVAL \(windowHours) HOUR, '%Y-%m-%d %H:00:00')"
}
