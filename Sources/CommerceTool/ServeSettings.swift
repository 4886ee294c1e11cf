import API
import Configuration
import Store

/// The settings of `commerce serve`.
struct ServeSettings {
    let shared: Settings
    let socketPath: String?
    /// Nil where there is none to be had: probes are then answered on the main socket only.
    let probeSocketPath: String?
    let loggedRequests: RequestLog.Scope
    let workers: Int
    let ledger: Shop.LedgerOptions
    /// One for each lane; where a command is carried out by its caller, as many as for reads.
    var ledgerConnections: Int {
        switch ledger.strategy {
        case .groupCommit(let lanes): lanes
        case .versionCheck, .forUpdate: shared.databaseConnections
        }
    }

    /// In the order of `--help`.
    static let all: [Setting] =
        [.socket, .probeSocket, .workers] + Setting.ofTheDatabase
        + [
            .databasePool, .ledger, .ledgerLanes, .ledgerQueue, .memcached, .logLevel, .logFormat,
            .logRequests,
        ]

    /// - Throws: ``SettingError`` for the first setting that is missing or wrong.
    init(from environment: ConfigReader) throws(SettingError) {
        socketPath = environment.text(.socket)
        probeSocketPath =
            environment.text(.probeSocket) ?? environment.text(.socket).map { $0 + ".probes" }
        loggedRequests = try environment.choice(.logRequests) ?? .failed
        workers = try environment.number(.workers)
        shared = try Settings(from: environment)
        ledger = try Self.ledger(environment)
    }

    private static func ledger(
        _ environment: ConfigReader
    ) throws(SettingError) -> Shop.LedgerOptions {
        var options = Shop.LedgerOptions()
        let lanes = try environment.number(.ledgerLanes)
        options.queuedMax = try environment.number(.ledgerQueue)
        switch environment.text(.ledger) ?? "group" {
        case "group": options.strategy = .groupCommit(lanes: lanes)
        case "version": options.strategy = .versionCheck
        case "for-update": options.strategy = .forUpdate
        default: throw SettingError(.ledger, "is not a strategy")
        }
        return options
    }
}
