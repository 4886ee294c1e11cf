public import MariaDB

/// All that the routes need: reads, the ledger, and how the parts are.
public struct Shop: Sendable {
    public let users: Users
    public let orders: Orders
    public let catalogue: Catalogue
    public let bestSellers: BestSellers
    public let requests: IdempotentRequests
    public let ledger: Ledger
    public let health: Health
    public let overview: Overview

    /// How the shop carries out commands.
    public struct LedgerOptions: Sendable {
        public var strategy = Ledger.Strategy.groupCommit(lanes: 1)
        /// Commands that may wait in each lane; beyond it clients are told to come again.
        public var queuedMax = 4_096

        public init() {}
    }

    /// - Parameters:
    ///   - pool: for reads.
    ///   - ledgerPool: for commands, apart from the reads, so that neither starves the other.
    ///   - probePool: for ``health``, which must not wait for either; nil: `pool`. One connection will
    ///     do.
    public init(
        pool: Pool, ledgerPool: Pool, probePool: Pool? = nil, cache: Cache, renderer: Renderer,
        ledger options: LedgerOptions = LedgerOptions()
    ) {
        users = Users(pool: pool)
        orders = Orders(pool: pool)
        catalogue = Catalogue(pool: pool, cache: cache, renderer: renderer)
        bestSellers = BestSellers(pool: pool, cache: cache, renderer: renderer)
        requests = IdempotentRequests(cache: cache)
        ledger = Ledger(
            options.strategy, pool: ledgerPool, catalogue: catalogue, renderer: renderer,
            queuedMax: options.queuedMax)
        health = Health(
            pool: probePool ?? pool, others: [pool, ledgerPool], cache: cache)
        overview = Overview(pool: probePool ?? pool, cache: cache)
    }
}
