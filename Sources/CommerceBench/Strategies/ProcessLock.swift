import MariaDB
import Synchronization

/// A lock in the process's memory around ``NoLock``: the customer's `synchronized`.
///
/// It holds until there is a second process, which has a lock of its own.
final class ProcessLock: LockStrategy {
    private let unguarded = NoLock()
    private let lock = Mutex(())

    var effort: Effort { unguarded.effort }

    func buy(_ purchase: Purchase, on connection: Connection) throws -> Sale {
        // A connection is no buyer's but its thread's, which the lock's closure cannot know.
        nonisolated(unsafe) let connection = connection
        return try lock.withLock { _ in try unguarded.buy(purchase, on: connection) }
    }
}
