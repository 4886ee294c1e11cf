import Synchronization

/// The handles nobody uses just now.
struct IdleHandles: ~Copyable {
    /// What the lock guards. Not private: the compiler of Swift 6.3 then fails on the module.
    struct State {
        var handles: [Handle] = []
        var generation = 0
    }

    private let address: Memcached.Address
    private let countMax: Int
    private let state = Mutex(State())

    init(to address: Memcached.Address, countMax: Int) {
        self.address = address
        self.countMax = countMax
    }

    /// The handle used last, whose connection is warm, or a new one.
    func take() throws(Unavailable) -> Handle {
        let (idle, generation) = state.withLock { ($0.handles.popLast(), $0.generation) }
        if let idle { return idle }
        return try Handle(to: address, generation: generation)
    }

    /// Keeps a handle for the next caller, unless there are enough or it is from before a failure.
    func giveBack(_ handle: Handle) {
        state.withLock { state in
            let isWanted = handle.generation == state.generation && state.handles.count < countMax
            if isWanted { state.handles.append(handle) }
        }
    }

    /// Closes all handles, and those in use when they come back: after a failure a late answer
    /// may wait in any of them, and after a restart all their connections are dead.
    func discard() {
        let discarded = state.withLock { state in
            state.generation += 1
            defer { state.handles = [] }
            return state.handles
        }
        withExtendedLifetime(discarded) {}  // Closing takes time, so not under the lock.
    }
}
