import MariaDB

/// Reads the stock and writes one less, whatever happened in between.
///
/// It loses updates: two buyers who read the same stock write the same stock, and two units are
/// sold where one is taken.
struct NoLock: LockStrategy {
    private let attempts = Attempts()

    var effort: Effort { Effort(attempts) }

    func buy(_ purchase: Purchase, on connection: Connection) throws -> Sale {
        let order = OrderTransaction(purchase: purchase, reading: .plain, writing: .unconditional)
        return try attempts.run { try order.commit(on: connection) }
    }
}
