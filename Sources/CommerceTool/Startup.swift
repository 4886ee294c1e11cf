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

    /// Runs a command. What it throws is one line on standard error, and the exit status that says
    /// what kind of failure it is; an `ExitCode` is passed on without a word.
    static func orOneLine(_ command: () throws -> Void) throws {
        do {
            try command()
        } catch let status as ExitCode {
            throw status
        } catch let error as CommitOutcomeUnknown {
            Output.complain([
                "commerce: the answer to COMMIT was lost, so this is done, or it is not: \(error.cause)"
            ])
            throw ExitCode(of: error)
        } catch {
            Output.complain(["commerce: \(error)"])
            throw ExitCode(of: error)
        }
    }

    static func logger(_ settings: Settings) -> Logger {
        let format = settings.logFormat ?? (isatty(STDERR_FILENO) == 1 ? .text : .json)
        LoggingSystem.bootstrap { _ in LineLogHandler(format, to: .standardError) }
        var logger = Logger(label: "commerce")
        logger.logLevel = settings.logLevel
        UnknownSettings().warn(logger)
        settings.plaintext.warn(logger)
        return logger
    }

    /// - Parameters:
    ///   - name: for metrics.
    ///   - statementSecondsMax: after which the server stops a statement; nil: never.
    static func pool(
        _ name: String, _ size: Int, _ settings: Settings, statementSecondsMax: UInt32? = nil
    ) -> Pool {
        var server = settings.database
        server.statementSecondsMax = statementSecondsMax
        return Pool(
            server: server, size: size, waitLimitMilliseconds: poolWaitMilliseconds, name: name)
    }

    /// Checks that the database is one that orders can be entrusted to.
    ///
    /// - Returns: which copy of the shop's data it has.
    /// - Throws: `ExitCode.success` where the process is told to stop before MariaDB answers.
    static func inspect(
        _ pool: Pool, _ logger: Logger, until signals: StopSignals
    ) throws -> ShopState {
        try retrying(seconds: databaseStartSeconds, logger, until: signals) {
            try pool.withConnection { connection in
                for warning in try ServerCheck.inspect(connection).warnings {
                    logger.critical("DURABILITY AT RISK: \(warning)")
                }
                try checkSchema(on: connection)
                return try ShopState.read(on: connection)
            }
        }
    }

    private static func checkSchema(on connection: Connection) throws {
        let applied = try Schema.applied(on: connection)
        guard applied >= Schema.number else {
            throw StartError(
                "the database has migration \(applied) of \(Schema.number): run sql/migrate.sh")
        }
    }

    /// The pool of a command that an operator types, whose database is as the command needs it.
    static func commandPool() throws -> Pool {
        Pool(
            server: try commandDatabase(), size: 1, waitLimitMilliseconds: poolWaitMilliseconds)
    }

    /// The database of a command that an operator types. Names settings that are none.
    static func commandDatabase() throws -> Server {
        Output.complain(UnknownSettings().warnings.map { "commerce: \($0)" })
        let database = try Settings(from: environment).database
        try checkSchema(on: Connection(to: database))
        return database
    }

    /// A database that starts together with us may need a moment.
    private static func retrying<T>(
        seconds: Int, _ logger: Logger, until signals: StopSignals, _ body: () throws -> T
    ) throws -> T {
        for _ in 0..<seconds {
            do {
                return try body()
            } catch  where ExitCode(of: error).rawValue == EX_UNAVAILABLE {
                logger.warning("waiting for MariaDB", metadata: ["cause": "\(error)"])
                guard !signals.pause(seconds: 1) else {
                    logger.info("stopped")
                    throw ExitCode.success
                }
            }
        }
        return try body()
    }

    /// Every key has the generation of the data in it: what memcached knows of other data, such as
    /// those before a backup was restored, is never found.
    static func cache(_ settings: Settings, of state: ShopState) -> Cache {
        let name = settings.database.database ?? ""
        let generation = String(state.generation, radix: 36)
        return Cache(
            settings.memcached.map { Memcached(address: $0) },
            prefix: "commerce.\(name).\(generation).")
    }
}

/// Why a command does not start, in one line.
struct StartError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
