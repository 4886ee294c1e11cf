import ArgumentParser
import Configuration
import Glibc
import LogLines
import Logging
import MariaDB
import Memcached
import Store
import Threads

/// How the commands begin.
enum Startup {
    /// For a pool's caller to get a connection; then it is told to come again.
    private static let poolWaitMilliseconds = 2_000
    /// For MariaDB to answer at the start.
    private static let databaseStartSeconds = 15

    static var environment: ConfigReader { ConfigReader(provider: EnvironmentVariablesProvider()) }

    /// Runs a command. What it throws is one line on standard error, and status 78; an `ExitCode`
    /// is passed on without a word.
    static func orOneLine(_ command: () throws -> Void) throws {
        do {
            try command()
        } catch let status as ExitCode {
            throw status
        } catch {
            var line = "commerce: \(error)\n"
            _ = line.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            throw ExitCode(EX_CONFIG)
        }
    }

    static func logger(_ settings: Settings) -> Logger {
        let format = settings.logFormat ?? (isatty(STDERR_FILENO) == 1 ? .text : .json)
        LoggingSystem.bootstrap { _ in LineLogHandler(format, to: .standardError) }
        var logger = Logger(label: "commerce")
        logger.logLevel = settings.logLevel
        return logger
    }

    /// - Parameter name: for metrics.
    static func pool(_ name: String, _ size: Int, _ settings: Settings) -> Pool {
        Pool(
            server: settings.database, size: size,
            waitLimitMilliseconds: poolWaitMilliseconds, name: name)
    }

    /// Checks that the database is one that orders can be entrusted to.
    ///
    /// - Throws: `ExitCode.success` where the process is told to stop before MariaDB answers.
    static func inspect(_ pool: Pool, _ logger: Logger, until signals: StopSignals) throws {
        try retrying(seconds: databaseStartSeconds, logger, until: signals) {
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
        seconds: Int, _ logger: Logger, until signals: StopSignals, _ body: () throws -> Void
    ) throws {
        for _ in 0..<seconds {
            do {
                return try body()
            } catch let error as DatabaseError where error.kind == .connectionLost {
                logger.warning("waiting for MariaDB", metadata: ["cause": "\(error)"])
                guard !signals.pause(seconds: 1) else {
                    logger.info("stopped")
                    throw ExitCode.success
                }
            }
        }
        try body()
    }

    static func cache(_ settings: Settings) -> Cache {
        let name = settings.database.database ?? ""
        return Cache(
            settings.memcached.map { Memcached(address: $0) }, prefix: "commerce.\(name).")
    }
}

/// Why a command does not start, in one line.
struct StartError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
