import API
import FastCGI
import Glibc
import Logging
import MariaDB
import Metrics
import Prometheus
import Store
import Threads

/// The metrics of a process: where they are kept, and what is read when they are asked for.
struct Observatory {
    private let registry = Registry(families: MetricFamilies.all)

    /// - Parameter role: the command that the process carries out.
    init(role: String) {
        registry.observeProcess(prefix: "commerce")
        registry.observe(
            .gauge, "commerce_build_info", [("version", CommerceTool.version), ("role", role)]
        ) { 1 }
    }

    /// Keeps what every part of the process counts from now on. Once a process, before the parts are
    /// made.
    func begin() {
        if getenv(Self.withoutMetrics) == nil { MetricsSystem.bootstrap(registry) }
    }

    /// Not a setting: `script/bench metrics` alone sets it, to measure what counting costs.
    private static let withoutMetrics = "COMMERCE_BENCH_WITHOUT_METRICS"

    /// All metrics as they are now, in Prometheus' text format.
    var page: [UInt8] { registry.text }

    /// What they were in the last minutes.
    var history: History { History(registry) }

    func observe(_ pool: Pool, as name: String) {
        let labels = [("pool", name)]
        registry.observe(.gauge, "commerce_pool_connections", labels) { Double(pool.counts.open) }
        registry.observe(.gauge, "commerce_pool_in_use", labels) { Double(pool.counts.inUse) }
    }

    func observeDatabase(by health: Health) {
        registry.observe(.gauge, "commerce_database_up") { health.isDatabaseServing ? 1 : 0 }
    }

    /// How the parts are that a command stands on which has no shop. Asked by a connection of its own.
    ///
    /// - Parameters:
    ///   - pool: the one that the command works with.
    ///   - cache: that of the process, without an address where it uses none.
    func health(of pool: Pool, _ cache: Cache, _ settings: Settings) -> Health {
        let probes = Startup.pool("probes", 1, settings)
        observe(probes, as: "probes")
        observe(cache)
        let health = Health(pool: probes, others: [pool], cache: cache)
        observeDatabase(by: health)
        return health
    }

    /// Shows nothing where the shop runs without memcached.
    func observe(_ cache: Cache) {
        registry.observe(.gauge, "commerce_cache_up") { cache.isWell.map { $0 ? 1 : 0 } }
    }

    func observe(_ watch: LiveWatch) {
        registry.observe(.gauge, "commerce_deliveries_held") { watch.isLive ? 0 : 1 }
    }

    func observe(_ ledger: Ledger) {
        registry.observe(.gauge, "commerce_ledger_queued") { Double(ledger.queuedCount) }
    }

    func observe(_ responder: Responder, workers: Int) {
        registry.observe(.gauge, "commerce_workers") { Double(workers) }
        registry.observe(.gauge, "commerce_workers_busy") { Double(responder.workersBusy) }
        registry.observe(.gauge, "commerce_requests_in_hand") { Double(responder.requestsInHand) }
    }
}

// MARK: - A socket for probes only

extension Observatory {
    /// One may wait for MariaDB.
    private static let probeWorkers = 2

    /// What answers `/livez`, `/readyz` and `/metrics` for a command that answers nothing else.
    ///
    /// - Parameter path: of the FastCGI socket. Nil: nobody can ask the process anything.
    func responder(
        at path: String?, _ health: Health, _ logger: Logger, until signals: StopSignals
    ) throws -> Responder? {
        guard let path else { return nil }
        let probes = Probes(
            health: health, isDraining: { signals.haveCome }, metrics: { page })
        var limits = Responder.Limits()
        limits.workers = Self.probeWorkers
        return try Responder(
            on: try .bound(to: path), limits: limits, logger: logger,
            handler: probes.respond(to:from:))
    }
}
