import ArgumentParser
import MariaDB

/// A way of keeping two buyers from taking one unit.
protocol LockStrategy: Sendable {
    /// Carries out a purchase. Blocks until it is durable.
    ///
    /// - Parameter connection: the buyer's own.
    func buy(_ purchase: Purchase, on connection: Connection) throws -> Sale

    /// What the purchases so far went through.
    var effort: Effort { get }
}

/// What purchases went through until they were carried out.
struct Effort: Codable {
    /// Races lost.
    var conflicts = 0
    /// Transactions run again, for whatever reason.
    var retries = 0
    /// How many commands were committed together, and how many waited; empty without a ledger.
    var batches = Histogram()
    var queue = Histogram()

    static func + (one: Effort, other: Effort) -> Effort {
        Effort(
            conflicts: one.conflicts + other.conflicts, retries: one.retries + other.retries,
            batches: one.batches + other.batches, queue: one.queue + other.queue)
    }

    static func - (later: Effort, earlier: Effort) -> Effort {
        Effort(
            conflicts: later.conflicts - earlier.conflicts,
            retries: later.retries - earlier.retries,
            batches: later.batches - earlier.batches, queue: later.queue - earlier.queue)
    }
}

extension Effort {
    init(_ attempts: Attempts) {
        conflicts = attempts.conflicts
        retries = attempts.retries
    }
}

/// The strategies that are compared, in the order of the tables.
enum StrategyKind: String, CaseIterable, ExpressibleByArgument, Codable {
    case noLock = "no-lock"
    case processLock = "process-lock"
    case forUpdate = "for-update"
    case spinLock = "spin-lock"
    case waitingLock = "waiting-lock"
    case versionCheck = "version-check"
    case groupCommit = "group-commit"

    var title: String {
        switch self {
        case .noLock: "no lock"
        case .processLock: "lock in the process"
        case .forUpdate: "SELECT … FOR UPDATE"
        case .spinLock: "memcached spin lock"
        case .waitingLock: "GET_LOCK"
        case .versionCheck: "version check"
        case .groupCommit: "group commit"
        }
    }

    /// Milliseconds that the customer measured for 100 orders of 100, where they did.
    var customersMilliseconds: Int? {
        switch self {
        case .forUpdate: 348
        case .spinLock: 17_660
        case .waitingLock: 673
        case .noLock, .processLock, .versionCheck, .groupCommit: nil
        }
    }

    /// Whether no unit may be lost or sold twice, with that many processes at once.
    func isExact(processes: Int) -> Bool {
        switch self {
        case .noLock: false
        case .processLock: processes == 1
        case .forUpdate, .spinLock, .waitingLock, .versionCheck, .groupCommit: true
        }
    }

    func make(_ servers: Servers) -> any LockStrategy {
        switch self {
        case .noLock: NoLock()
        case .processLock: ProcessLock()
        case .forUpdate: ForUpdate()
        case .spinLock: SpinLock(servers)
        case .waitingLock: WaitingLock()
        case .versionCheck: VersionCheck()
        case .groupCommit: GroupCommit(servers)
        }
    }
}
