import API
import ArgumentParser
import Configuration
import FastCGI
import Glibc
import Logging
import MariaDB
import Memcached
import Metrics
import Prometheus
import Store

/// Answers the requests that nginx passes on.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer FastCGI requests until SIGTERM.",
        discussion: "SETTINGS, from the environment:\n"
            + Setting.allCases.map { setting in
                let padding = String(repeating: " ", count: 28 - setting.rawValue.count)
                return "  \(setting.rawValue)\(padding)\(setting.explanation)"
            }.joined(separator: "\n"))

    /// For a pool's caller to get a connection; then the client is told to come again.
    private static let poolWaitMilliseconds = 2_000
    /// For MariaDB to answer at the start.
    private static let databaseStartSeconds = 15
    /// Between two looks for sales that are no longer recent; and for one of them, so that neither
    /// the start nor the stop has to wait for a shop that was closed for months.
    private static let upkeepSeconds = 5
    private static let windowMilliseconds = 4_000

    func run() throws {
        let signals = StopSignals()
        do {
            try serve(until: signals)
        } catch {
            var line = "commerce: \(error)\n"
            _ = line.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            throw ExitCode(EX_CONFIG)
        }
    }

    private func serve(until signals: StopSignals) throws {
        raiseDescriptorLimit()
        let settings = try Settings(from: ConfigReader(provider: EnvironmentVariablesProvider()))
        let logger = Self.logger(settings)
        let registry = Registry()
        MetricsSystem.bootstrap(registry)
        let pool = Self.pool(settings.databaseConnections, settings)
        let ledgerPool = Self.pool(settings.ledgerConnections, settings)
        try Self.inspect(pool, logger)

        let shop = Shop(
            pool: pool, ledgerPool: ledgerPool, cache: Self.cache(settings), renderer: .customer,
            ledger: settings.ledger)
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
        let upkeep = Upkeep(everySeconds: Self.upkeepSeconds, logger: logger) {
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

    private static func logger(_ settings: Settings) -> Logger {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "commerce")
        logger.logLevel = settings.logLevel
        return logger
    }

    private static func pool(_ size: Int, _ settings: Settings) -> Pool {
        Pool(
            server: settings.database, size: size,
            waitLimitMilliseconds: poolWaitMilliseconds)
    }

    /// Checks that the database is one that orders can be entrusted to.
    private static func inspect(_ pool: Pool, _ logger: Logger) throws {
        try retrying(seconds: databaseStartSeconds, logger) {
            try pool.withConnection { connection in
                for warning in try ServerCheck.inspect(connection).warnings {
                    logger.critical("DURABILITY AT RISK: \(warning)")
                }
                let applied = try Schema.applied(on: connection)
                guard applied >= Schema.number else {
                    throw StartError(
                        "the database has migration \(applied) of \(Schema.number): "
                            + "run sql/migrate.sh")
                }
            }
        }
    }

    /// A database that starts together with us may need a moment.
    private static func retrying(
        seconds: Int, _ logger: Logger, _ body: () throws -> Void
    ) throws {
        for _ in 0..<seconds {
            do {
                return try body()
            } catch let error as DatabaseError where error.kind == .connectionLost {
                logger.warning("waiting for MariaDB", metadata: ["cause": "\(error)"])
                sleep(1)
            }
        }
        try body()
    }

    private static func cache(_ settings: Settings) -> Cache {
        let name = settings.database.database ?? ""
        return Cache(
            settings.memcached.map { Memcached(address: $0) }, prefix: "commerce.\(name).")
    }

    private static func socket(_ settings: Settings) throws -> ListeningSocket {
        if let inherited = ListeningSocket.inherited() { return inherited }
        guard let path = settings.socketPath else {
            throw SettingError(.socket, "is missing")
        }
        return try ListeningSocket.bound(to: path)
    }
}

/// Why the service does not start, in one line.
private struct StartError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
