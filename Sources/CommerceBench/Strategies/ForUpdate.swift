import MariaDB

/// `SELECT … FOR UPDATE`: the database makes each buyer wait for the one before. The customer's
/// "pessimistic lock".
struct ForUpdate: LockStrategy {
    private let attempts = Attempts()

    var effort: Effort { Effort(attempts) }

    func buy(_ purchase: Purchase, on connection: Connection) throws -> Sale {
        let order = OrderTransaction(purchase: purchase, reading: .locking, writing: .unconditional)
        return try attempts.run { try order.commit(on: connection) }
    }
}
