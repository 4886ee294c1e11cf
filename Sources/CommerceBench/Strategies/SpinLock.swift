import Glibc
import MariaDB
import Memcached
import Threads

/// A lock in memcached around ``NoLock``, asked for every half second: the customer's Lettuce.
///
/// Whoever comes too late sleeps, and most of the time nobody holds the lock and all are asleep.
struct SpinLock: LockStrategy {
    /// As the customer's.
    private static let pauseMicroseconds: useconds_t = 500_000
    /// After which the lock of a buyer who died is free again.
    private static let expirySeconds = 10
    /// After which a buyer gives up.
    private static let patienceMilliseconds = 60_000

    private let unguarded = NoLock()
    private let memcached: Memcached

    init(_ servers: Servers) {
        memcached = Memcached(address: servers.memcached)
    }

    var effort: Effort { unguarded.effort }

    func buy(_ purchase: Purchase, on connection: Connection) throws -> Sale {
        let key = "bench.lock.\(purchase.product)"
        let deadline = MonotonicTime.now.advanced(byMilliseconds: Self.patienceMilliseconds)
        while try !memcached.add(key, [], expirySeconds: Self.expirySeconds) {
            guard .now < deadline else { throw BenchError("the lock was never free") }
            usleep(Self.pauseMicroseconds)
        }
        let sale = Result { try unguarded.buy(purchase, on: connection) }
        try memcached.delete(key)
        return try sale.get()
    }
}
