import API
import ArgumentParser
import FastCGI
import Glibc
import Logging
import Metrics
import Prometheus
import Store
import Threads

/// Answers the requests that nginx passes on.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer FastCGI requests until SIGTERM.",
        discussion: Setting.help(ServeSettings.all))

    /// Between two looks for sales that are no longer recent; and for one of them, so that neither
    /// the start nor the stop has to wait for a shop that was closed for months.
    private static let upkeepSeconds = 5
    private static let windowMilliseconds = 4_000

    func run() throws {
        let signals = StopSignals()
        try Startup.orOneLine { try serve(until: signals) }
    }

    private func serve(until signals: StopSignals) throws {
        raiseDescriptorLimit()
        let settings = try ServeSettings(from: Startup.environment)
        let logger = Startup.logger(settings.shared)
        let registry = Registry()
        MetricsSystem.bootstrap(registry)
        let pool = Startup.pool(settings.shared.databaseConnections, settings.shared)
        let ledgerPool = Startup.pool(settings.ledgerConnections, settings.shared)
        try Startup.inspect(pool, logger)

        let shop = Shop(
            pool: pool, ledgerPool: ledgerPool, cache: Startup.cache(settings.shared),
            renderer: .customer, ledger: settings.ledger)
        let application = Application(
            shop,
            in: Application.Surroundings(
                isDraining: { signals.haveCome }, metrics: { registry.text }),
            logger: logger)
        var limits = Responder.Limits()
        limits.workers = settings.workers
        let responder = try Responder(
            on: try Self.socket(settings), limits: limits, logger: logger,
            handler: application.respond(to:from:))
        try shop.bestSellers.moveWindow(within: Self.windowMilliseconds)
        let upkeep = Upkeep(
            "the best sellers' window", everySeconds: Self.upkeepSeconds, logger: logger
        ) {
            try shop.bestSellers.moveWindow(within: Self.windowMilliseconds)
        }
        logger.info("serving", metadata: ["workers": "\(limits.workers)"])
        responder.run(until: signals)
        shop.ledger.close()
        upkeep.stop()
        logger.info("stopped")
    }

    /// Takes as many descriptors as the process may have: a connection is one.
    private func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private static func socket(_ settings: ServeSettings) throws -> ListeningSocket {
        if let inherited = ListeningSocket.inherited() { return inherited }
        guard let path = settings.socketPath else {
            throw SettingError(.socket, "is missing")
        }
        return try ListeningSocket.bound(to: path)
    }
}
