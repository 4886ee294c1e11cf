import ArgumentParser
import Configuration
import Events
import FastCGI
import Logging
import Store
import Threads

/// Tells buyers of the events that come through RabbitMQ.
struct Notify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send the notifications that come through RabbitMQ, until SIGTERM.",
        discussion: Setting.help(
            Setting.ofTheDatabase + [.notifySocket] + Setting.ofNotifications
                + [.amqpURL, .amqpAuthorities, .deliveryPause, .logLevel, .logFormat]))

    /// One reads and notes; the other is for one that has been lost and is not given back yet.
    private static let databaseConnections = 2

    func run() throws {
        let signals = StopSignals()
        try Startup.orOneLine { try notify(until: signals) }
    }

    private func notify(until signals: StopSignals) throws {
        let shared = try Settings(from: Startup.environment)
        let settings = try NotificationSettings(from: Startup.environment)
        var options = NotificationConsumer.Options()
        options.firstPauseMilliseconds = try Startup.environment.number(.deliveryPause)
        guard let broker = settings.broker else { throw SettingError(.amqpURL, "is missing") }
        let logger = Startup.logger(shared)
        let observatory = Observatory(role: "notify")
        observatory.begin()
        let pool = Startup.pool("notify", Self.databaseConnections, shared)
        observatory.observe(pool, as: "notify")
        let health = observatory.health(of: pool, Cache(nil, prefix: ""), shared)
        let service = try settings.service(pool, logger)
        let state = try Startup.inspect(pool, logger, until: signals)
        let watch = LiveWatch(pool, now: state, logger: logger)
        observatory.observe(watch)
        let probes = try observatory.responder(
            at: Startup.environment.text(.notifySocket), health, logger, until: signals)?.start()
        NotificationConsumer(
            broker, service: service, options: options, logger: logger,
            isHeld: { !watch.isLive }
        ).run(until: signals)
        watch.stop()
        probes?.stop()
        logger.info("stopped")
    }
}
