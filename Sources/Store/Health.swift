public import MariaDB
import Synchronization

/// Whether the parts that a process stands on answer.
///
/// They are asked by one caller at a time; who comes meanwhile gets the same answer. So probes of a
/// database that hangs, however many, hold one thread.
public final class Health: Sendable {
    /// What was found.
    public enum Condition: Sendable {
        case well
        /// Everything works, slower: memcached does not answer.
        case degraded
        /// MariaDB does not answer.
        case down
    }

    public typealias Continuation = @Sendable (Condition) -> Void

    private let pool: Pool
    private let cache: Cache
    /// Nil while nobody asks.
    private let waiting = Mutex<[Continuation]?>(nil)

    public init(pool: Pool, cache: Cache) {
        self.pool = pool
        self.cache = cache
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
        guard databaseAnswers else { return .down }
        return cache.isAvailable == false ? .degraded : .well
    }

    private var databaseAnswers: Bool {
        do {
            _ = try pool.withConnection { connection in
                try connection.execute("DO 1")
            }
            return true
        } catch {
            return false
        }
    }
}
