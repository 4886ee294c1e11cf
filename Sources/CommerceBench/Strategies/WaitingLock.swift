import MariaDB

/// MariaDB's `GET_LOCK` around ``NoLock``: a named lock whose waiters are woken, as the customer's
/// Redisson.
struct WaitingLock: LockStrategy {
    private static let patienceSeconds: Int64 = 4  // Below the connection's read time-out.

    private let unguarded = NoLock()

    var effort: Effort { unguarded.effort }

    func buy(_ purchase: Purchase, on connection: Connection) throws -> Sale {
        let name = Value.text("bench.\(purchase.product)")
        let got = try connection.query(
            "SELECT COALESCE(GET_LOCK(?, ?), 0)", [name, .integer(Self.patienceSeconds)]
        ) { row throws(DatabaseError) in try row.integer(0) }
        guard got == [1] else { throw BenchError("the lock was not free in time") }
        let sale = Result { try unguarded.buy(purchase, on: connection) }
        try connection.execute("DO RELEASE_LOCK(?)", [name])
        return try sale.get()
    }
}
