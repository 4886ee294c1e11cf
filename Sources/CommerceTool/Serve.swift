import API
import ArgumentParser
import FastCGI
import Glibc
import Logging
import MariaDB
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

    /// For what a client asks for, whatever it is: a page of the longest list takes some milliseconds.
    private static let readSecondsMax: UInt32 = 3

    /// One may wait for MariaDB; the others keep two processors busy.
    private static let probeWorkers = 4

    func run() throws {
        let signals = StopSignals()
        try Startup.orOneLine { try serve(until: signals) }
    }

    private func serve(until signals: StopSignals) throws {
        raiseDescriptorLimit()
        let settings = try ServeSettings(from: Startup.environment)
        let logger = Startup.logger(settings.shared)
        let observatory = Observatory(role: "serve")
        observatory.begin()
        let pool = Startup.pool(
            "reads", settings.shared.databaseConnections, settings.shared,
            statementSecondsMax: Self.readSecondsMax)
        let state = try Startup.inspect(pool, logger, until: signals)
        let cache = Startup.cache(settings.shared, of: state)
        let shop = Self.shop(settings, reading: pool, cache, observatory)
        let history = observatory.history
        let application = Application(
            shop,
            probes: Probes(
                health: shop.health, shown: (shop.overview, { history.json(after: $0, of: $1) }),
                isDraining: { signals.haveCome },
                metrics: { observatory.page }),
            log: RequestLog(logger, of: settings.loggedRequests))
        var limits = Responder.Limits()
        limits.workers = settings.workers
        let responder = try Responder(
            on: try Self.socket(settings), limits: limits, logger: logger,
            handler: application.only(settings.probeSocketPath == nil ? .everything : .shop)
                .respond(to:from:))
        observatory.observe(responder, workers: limits.workers)
        let probes = try Self.probes(settings, application, logger)?.start()
        // It may as well wait for a server that is read-only at the moment.
        try? shop.bestSellers.moveWindow(within: Self.windowMilliseconds)
        let upkeep = Upkeep(
            "the best sellers' window", everySeconds: Self.upkeepSeconds, logger: logger
        ) {
            shop.health.check { _ in }  // For the metrics: on a quiet shop nobody else asks.
            try shop.bestSellers.moveWindow(within: Self.windowMilliseconds)
        }
        let memory = Upkeep(
            "the charts' history", everySeconds: History.pauseSeconds, firstAfterSeconds: 0,
            logger: logger, history.take)
        logger.info("serving", metadata: ["workers": "\(limits.workers)"])
        responder.run(until: signals)
        probes?.stop()
        shop.ledger.close()
        upkeep.stop()
        memory.stop()
        logger.info("stopped")
    }

    private static func shop(
        _ settings: ServeSettings, reading pool: Pool, _ cache: Cache, _ observatory: Observatory
    ) -> Shop {
        let ledgerPool = Startup.pool("ledger", settings.ledgerConnections, settings.shared)
        let probePool = Startup.pool("probes", 1, settings.shared)
        let shop = Shop(
            pool: pool, ledgerPool: ledgerPool, probePool: probePool, cache: cache,
            renderer: .customer, ledger: settings.ledger)
        for (pool, name) in [(pool, "reads"), (ledgerPool, "ledger"), (probePool, "probes")] {
            observatory.observe(pool, as: name)
        }
        observatory.observeDatabase(by: shop.health)
        observatory.observe(cache)
        observatory.observe(shop.ledger)
        return shop
    }

    /// A responder for probes, so that they are answered while all workers wait for something.
    private static func probes(
        _ settings: ServeSettings, _ application: Application, _ logger: Logger
    ) throws -> Responder? {
        guard let path = settings.probeSocketPath else {
            logger.notice("probes are answered on the main socket only: no COMMERCE_PROBE_SOCKET")
            return nil
        }
        var limits = Responder.Limits()
        limits.workers = probeWorkers
        return try Responder(
            on: try .bound(to: path), limits: limits, logger: logger,
            handler: application.only(.probes).respond(to:from:))
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
