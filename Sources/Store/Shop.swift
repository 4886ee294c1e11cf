public import MariaDB

/// All that the routes need: reads, the ledger, and how the parts are.
public struct Shop: Sendable {
    public let users: Users
    public let catalogue: Catalogue
    public let bestSellers: BestSellers
    public let requests: IdempotentRequests
    public let ledger: Ledger
    public let health: Health

    public init(pool: Pool, cache: Cache, renderer: Renderer) {
        users = Users(pool: pool)
        catalogue = Catalogue(pool: pool, cache: cache, renderer: renderer)
        bestSellers = BestSellers(pool: pool, cache: cache, renderer: renderer)
        requests = IdempotentRequests(cache: cache)
        ledger = Ledger(pool: pool, catalogue: catalogue, renderer: renderer)
        health = Health(pool: pool, cache: cache)
    }
}

/// Whether the parts that the shop stands on answer.
public struct Health: Sendable {
    let pool: Pool
    let cache: Cache

    /// Whether MariaDB answers a query.
    public var databaseAnswers: Bool {
        do {
            _ = try pool.withConnection { connection in
                try connection.execute("DO 1")
            }
            return true
        } catch {
            return false
        }
    }

    /// Whether memcached answers; nil where the shop runs without one.
    public var cacheAnswers: Bool? { cache.isAvailable }
}
