import API
import Commerce
import MariaDB
import Memcached
import Metrics
import Prometheus
import Store

/// The shop's own ledger: version checks for a whole batch of orders at a time.
///
/// Unlike the others it also renews the product in memcached, as the shop does.
final class GroupCommit: LockStrategy {
    private static let poolWaitMilliseconds = 2_000
    /// For the one lane.
    private static let connections = 2

    private let shop: Shop
    private let registry: Registry

    /// Made once a process: the metrics system takes one registry.
    init(_ servers: Servers) {
        registry = Registry()
        MetricsSystem.bootstrap(registry)
        let pool = Pool(
            server: servers.database, size: Self.connections,
            waitLimitMilliseconds: Self.poolWaitMilliseconds)
        var options = Shop.LedgerOptions()
        options.strategy = .groupCommit(lanes: 1)
        shop = Shop(
            pool: pool, ledgerPool: pool,
            cache: Cache(Memcached(address: servers.memcached), prefix: "bench."),
            renderer: .customer, ledger: options)
    }

    var effort: Effort {
        let exported = ExportedMetrics(registry.text)
        return Effort(
            conflicts: Int(exported.value("commerce_ledger_conflicts_total")),
            retries: Int(exported.value("commerce_ledger_retries_total")),
            batches: exported.histogram("commerce_ledger_batch_commands"),
            queue: exported.histogram("commerce_ledger_queue_depth"))
    }

    func buy(_ purchase: Purchase, on connection: Connection) throws -> Sale {
        let cart = try Cart([Cart.Line(product: purchase.product, quantity: 1)])
        let command = Command(.order(user: purchase.user, cart, payment: Ground.price))
        switch try shop.ledger.submit(command) {
        case .accepted(.ordered(let id)): return .sold(id)
        case .refused(.outOfStock): return .soldOut
        case .accepted(.charged), .accepted(.canceled), .refused, .replayed, .inProgress,
            .keyReused:
            throw BenchError("an order without a key got an answer that is none")
        }
    }
}
