import MariaDB

/// Optimistic locking an order at a time: who finds another version than they read starts again.
///
/// Of all who read a hot product at one time, one gets on; the rest have worked for nothing.
struct VersionCheck: LockStrategy {
    private let attempts = Attempts()

    var effort: Effort { Effort(attempts) }

    func buy(_ purchase: Purchase, on connection: Connection) throws -> Sale {
        let order = OrderTransaction(purchase: purchase, reading: .plain, writing: .versioned)
        return try attempts.run { try order.commit(on: connection) }
    }
}
