import Synchronization

/// The connections nobody uses just now.
struct IdleConnections: ~Copyable {
    /// What the lock guards. Not private: the compiler of Swift 6.3 then fails on the module.
    struct State {
        var connections: [Connection] = []
        var generation = 0
    }

    private let address: Memcached.Address
    private let countMax: Int
    private let state = Mutex(State())

    init(to address: Memcached.Address, countMax: Int) {
        self.address = address
        self.countMax = countMax
    }

    /// The connection used last, or a new one.
    func take() throws(Unavailable) -> Connection {
        let (idle, generation) = state.withLock { ($0.connections.popLast(), $0.generation) }
        if let idle { return idle }
        return Connection(on: try .connected(to: address), generation: generation)
    }

    /// Keeps a connection for the next caller, unless there are enough or it is from before a failure.
    func giveBack(_ connection: Connection) {
        state.withLock { state in
            let isWanted =
                connection.generation == state.generation && state.connections.count < countMax
            if isWanted { state.connections.append(connection) }
        }
    }

    /// Closes all connections, and those in use when they come back: after a failure a late answer
    /// may wait in any of them, and after a restart all of them are dead.
    func discard() {
        let discarded = state.withLock { state in
            state.generation += 1
            defer { state.connections = [] }
            return state.connections
        }
        withExtendedLifetime(discarded) {}  // Closing takes time, so not under the lock.
    }
}
