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
        /// Orders work, and nobody is told of them: the data are a copy of the shop's.
        case held
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
        guard let isLive = try? isLive() else { return .down }
        if !isLive { return .held }
        return cache.isAvailable == false ? .degraded : .well
    }

    private func isLive() throws -> Bool {
        try pool.withConnection { connection in
            try connection.query("SELECT \(ShopState.shopIsLive)") { row throws(DatabaseError) in
                try row.integer(0)
            }
        } == [1]
    }
}
