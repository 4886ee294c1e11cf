import API
import ArgumentParser
import Commerce
import Events
import FastCGI
import HTTPClient
import Logging
import MariaDB
import Store
import Threads

/// Brings events to those who want to know of them, and keeps the shop tidy.
struct Work: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Deliver events, and tidy up, until SIGTERM.",
        discussion: Setting.help(WorkSettings.all))

    /// Between two looks for what is old enough to be deleted; and for one of them.
    private static let purgeSeconds = 10
    private static let purgeMilliseconds = 4_000
    /// As in ``Serve``, which must be right without a worker. Each hour is taken out once, by
    /// whoever comes first.
    private static let windowSeconds = 5
    private static let windowMilliseconds = 4_000
    /// Between two looks whether RabbitMQ is there.
    private static let brokerSeconds = 3
    /// Between two counts of what waits.
    private static let backlogSeconds = 15

    func run() throws {
        let signals = StopSignals()
        try Startup.orOneLine { try work(until: signals) }
    }

    private func work(until signals: StopSignals) throws {
        let settings = try WorkSettings(from: Startup.environment)
        let client = try Webhooks.client(Startup.environment)
        let logger = Startup.logger(settings.shared)
        let observatory = Observatory(role: "work")
        observatory.begin()
        let pool = Startup.pool("work", settings.shared.databaseConnections, settings.shared)
        observatory.observe(pool, as: "work")
        let state = try Startup.inspect(pool, logger, until: signals)
        let cache = Startup.cache(settings.shared, of: state)
        let health = observatory.health(of: pool, cache, settings.shared)
        let watch = LiveWatch(pool, now: state, logger: logger)
        observatory.observe(watch)

        let notification = try settings.notifications.target(pool, logger)
        let worker = Worker(
            Deliveries(pool: pool), options: settings.options, logger: logger
        ) { target in
            if target == .notification { return notification }
            return RegisteredWebhook(target, pool: pool, client: client)
        }
        var upkeeps = Self.upkeeps(settings, pool, cache, health, logger, until: signals)
        if let queue = notification as? QueueTarget {
            upkeeps.append(
                Upkeep("looking for RabbitMQ", everySeconds: Self.brokerSeconds, logger: logger) {
                    if !signals.haveCome { queue.look() }
                })
        }
        let audits = Upkeep.audits(
            settings.audit, of: settings.shared.database, logger: logger,
            isStopped: { signals.haveCome })
        let probes = try observatory.responder(
            at: settings.socketPath, health, logger, until: signals)?.start()
        worker.run(until: signals)
        probes?.stop()
        for upkeep in upkeeps { upkeep.stop() }
        audits?.stop()
        watch.stop()
        logger.info("stopped")
    }

    private static func upkeeps(
        _ settings: WorkSettings, _ pool: Pool, _ cache: Cache, _ health: Health, _ logger: Logger,
        until signals: StopSignals
    ) -> [Upkeep] {
        /// Begins nothing new while the couriers finish.
        func upkeep(
            _ name: String, everySeconds seconds: Int, _ work: @escaping @Sendable () throws -> Void
        ) -> Upkeep {
            Upkeep(name, everySeconds: seconds, logger: logger) {
                if !signals.haveCome { try work() }
            }
        }
        let purge = Purge(pool: pool)
        let bestSellers = BestSellers(pool: pool, cache: cache, renderer: .customer)
        let (outbox, deliveries) = (Outbox(pool: pool), Deliveries(pool: pool))
        let measurements = BacklogMeasurements()
        return [
            upkeep("the purge", everySeconds: purgeSeconds) {
                let deadline = MonotonicTime.now.advanced(byMilliseconds: purgeMilliseconds)
                let counts = try purge.run(
                    olderThanHours: settings.keptHours, until: deadline)
                if !counts.isEmpty {
                    logger.debug("purged", metadata: ["counts": "\(counts)"])
                }
            },
            upkeep("the best sellers' window", everySeconds: windowSeconds) {
                health.check { _ in }  // For the metrics.
                try bestSellers.moveWindow(within: windowMilliseconds)
            },
            upkeep("the best sellers", everySeconds: BestSellers.warmSeconds) {
                try bestSellers.warm()
            },
            upkeep("counting the backlog", everySeconds: backlogSeconds) {
                measurements.show(try outbox.backlog(), try deliveries.backlogs())
            },
        ]
    }
}

/// A webhook endpoint as the database has it: its secrets may change at any time.
private struct RegisteredWebhook: Target {
    private let id: TargetID
    private let endpoints: WebhookEndpoints
    private let client: HTTPClient

    init(_ id: TargetID, pool: Pool, client: HTTPClient) {
        self.id = id
        self.client = client
        endpoints = WebhookEndpoints(pool: pool)
    }

    func deliver(_ events: [Event]) throws(TargetUnavailable) -> [DeliveryResult] {
        let endpoint: WebhookEndpoint?
        do {
            endpoint = try endpoints.enabled(id.number)
        } catch {
            throw TargetUnavailable(cause: "\(error)")
        }
        // Switched off since they were claimed.
        guard let endpoint else { return events.map { _ in .gone(cause: "switched off") } }
        return WebhookTarget(endpoint, client: client).deliver(events)
    }
}
