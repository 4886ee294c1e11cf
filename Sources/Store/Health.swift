public import MariaDB
import Synchronization

/// Whether the parts that a process stands on do what it needs.
///
/// They are asked by one caller at a time; who comes meanwhile gets the same answer. So probes of a
/// database that hangs, however many, hold one thread.
public final class Health: Sendable {
    /// What was found.
    public enum Condition: Sendable {
        case well
        /// Everything works, slower: memcached does not answer.
        case degraded
        /// Orders work, and nobody is told of them: the data are a copy of the shop's.
        case held
        /// MariaDB answers, and will not do what a shop asks of it: it is read-only, or the service's
        /// user has lost rights.
        case unfit
        /// MariaDB does not answer.
        case down
    }

    public typealias Continuation = @Sendable (Condition) -> Void

    private let pool: Pool
    private let others: [Pool]
    private let cache: Cache
    /// Nil while nobody asks.
    private let waiting = Mutex<[Continuation]?>(nil)
    private let isFound = Atomic<Bool>(true)

    /// - Parameters:
    ///   - pool: to ask by.
    ///   - others: those that the process works with.
    public init(pool: Pool, others: [Pool] = [], cache: Cache) {
        self.pool = pool
        self.others = others
        self.cache = cache
    }

    /// Whether MariaDB did all that it was asked the last time, by a look or by the process's work. Asks
    /// nobody.
    public var isDatabaseServing: Bool {
        isFound.load(ordering: .relaxed) && others.allSatisfy(\.isServed)
    }

    /// Asks, on this thread if nobody else does: for as long as MariaDB's time-outs last.
    ///
    /// - Parameter then: called once, on any thread.
    public func check(then: @escaping Continuation) {
        let isFirst = waiting.withLock { waiting in
            defer { waiting = (waiting ?? []) + [then] }
            return waiting == nil
        }
        guard isFirst else { return }
        let condition = condition
        let all = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting ?? []
        }
        for then in all { then(condition) }
    }

    private var condition: Condition {
        let found = database
        isFound.store(found != .unfit && found != .down, ordering: .relaxed)
        guard isDatabaseFound else { return found }
        for pool in others { pool.hear(isServed: true) }
        return found == .well && cache.isAvailable == false ? .degraded : found
    }

    private var isDatabaseFound: Bool { isFound.load(ordering: .relaxed) }

    private var database: Condition {
        do {
            let isLive = try pool.withConnection { connection in
                try Rehearsal.run(on: connection)
                return try connection.query("SELECT \(ShopState.shopIsLive)") {
                    row throws(DatabaseError) in try row.integer(0)
                } == [1]
            }
            return isLive ? .well : .held
        } catch {
            switch (error as? DatabaseError)?.kind {
            case .connectionLost, .busy, nil: return .down
            case .lostRace, .duplicateKey, .sessionUnfit, .unavailable, .refused, .other:
                return .unfit
            }
        }
    }
}
