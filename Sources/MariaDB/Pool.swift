import Synchronization
import Threads

/// Connections that threads share, each used by one thread at a time.
///
/// Bounded and lazily filled; the connection given back last is used first, so that a quiet pool
/// works with few warm ones. Before reuse a connection is looked at: one that the server closed
/// while it lay idle (a restart, `wait_timeout`) is replaced without costing a request. Once the server
/// has said to one that its login or the server itself is not fit, all that lie idle are closed: they
/// would hear the same, even when it is over for those who connect anew.
public final class Pool: Sendable {
    /// How the pool is used, for metrics.
    public struct Counts: Sendable, Equatable {
        /// Connections open or being opened.
        public var open = 0
        /// Connections in use.
        public var inUse = 0
        /// How often a caller had to wait, since the pool was made.
        public var waits = 0
    }

    private let server: Server
    private let size: Int
    private let waitLimitMilliseconds: Int
    private let monitor = Monitor(State())
    private let measurements: PoolMeasurements
    private let served = Atomic<Bool>(true)

    /// Makes an empty pool of at most `size` connections, whose callers wait for a free one at
    /// most `waitLimitMilliseconds`. Metrics show it under its name.
    public init(
        server: Server, size: Int, waitLimitMilliseconds: Int, name: String = "main"
    ) {
        precondition(size > 0 && waitLimitMilliseconds >= 0)
        self.server = server
        self.size = size
        self.waitLimitMilliseconds = waitLimitMilliseconds
        measurements = PoolMeasurements(of: name)
    }

    /// Runs `body` with a connection.
    ///
    /// Throws what `body` throws; a ``DatabaseError`` of kind `busy` when no connection became
    /// free in time; what ``Connection/init(to:)`` throws when a new one was needed.
    public func withConnection<T>(_ body: (Connection) throws -> T) throws -> T {
        let connection = try acquire()
        defer { release(connection) }
        return try body(connection)
    }

    /// Whether the server did what it was asked the last time, or said why not without withdrawing.
    /// Asks nobody.
    public var isServed: Bool { served.load(ordering: .relaxed) }

    /// Takes another's word that the server serves again: this pool may have nothing to ask for long.
    public func hear(isServed: Bool) {
        // Mostly nothing changes, and a store would take the line from the other processors.
        if self.isServed != isServed { served.store(isServed, ordering: .relaxed) }
    }

    /// The current counts.
    public var counts: Counts { monitor.update { $0.counts } }

    /// Closes the idle connections, and those in use when they come back. Later calls throw an
    /// error of kind `unavailable`.
    public func close() {
        let idle = monitor.update { state in
            state.isClosed = true
            return state.takeIdle()
        }
        withExtendedLifetime(idle) {}  // Closing takes time, so not under the lock.
    }

    private func acquire() throws(DatabaseError) -> Connection {
        var waitsSince: ContinuousClock.Instant?
        let place = monitor.take(withinMilliseconds: waitLimitMilliseconds) { state, isFirstTry in
            if isFirstTry, !state.hasRoom(size) {
                state.counts.waits += 1
                waitsSince = .now
            }
            return state.takePlace(size)
        }
        measurements.waited(since: waitsSince, inVain: place == nil)
        switch place {
        case .idle(let connection) where connection.looksAlive: return connection
        case .idle, .new: return try open()
        case .closed: throw DatabaseError(.unavailable, "The pool is closed.")
        case nil:
            throw DatabaseError(.busy, "No connection free in \(waitLimitMilliseconds) ms.")
        }
    }

    private func open() throws(DatabaseError) -> Connection {
        do throws(DatabaseError) {
            return try Connection(to: server)
        } catch {
            hear(isServed: false)
            monitor.update { $0.givePlaceBack() }
            throw error
        }
    }

    private func release(_ connection: Connection) {
        hear(isServed: connection.isUsable)
        let closing = monitor.update { state -> [Connection] in
            if connection.isReusable && !state.isClosed {
                state.counts.inUse -= 1
                state.idle.append(connection)
                return []
            }
            state.givePlaceBack()
            return connection.end?.concernsAll == true ? state.takeIdle() : []
        }
        withExtendedLifetime(closing) {}  // Closing takes time, so not under the lock.
    }
}

/// What the pool's lock guards.
private struct State {
    /// What a caller gets.
    enum Place {
        case idle(Connection)
        case new
        case closed
    }

    var idle: [Connection] = []
    var counts = Pool.Counts()
    var isClosed = false

    func hasRoom(_ size: Int) -> Bool { isClosed || counts.inUse < size }

    /// Takes the warmest connection, or the right to open one; nil when all are in use.
    mutating func takePlace(_ size: Int) -> Place? {
        if isClosed { return .closed }
        guard hasRoom(size) else { return nil }
        counts.inUse += 1
        if let connection = idle.popLast() { return .idle(connection) }
        counts.open += 1
        return .new
    }

    /// Takes out all that lie idle, to be closed.
    mutating func takeIdle() -> [Connection] {
        counts.open -= idle.count
        defer { idle = [] }
        return idle
    }

    mutating func givePlaceBack() {
        counts.inUse -= 1
        counts.open -= 1
    }
}

extension DatabaseError.Kind {
    /// Whether what ended one session holds for the others of the same login at the same server.
    fileprivate var concernsAll: Bool {
        switch self {
        case .sessionUnfit, .unavailable: true
        case .connectionLost, .lostRace, .duplicateKey, .refused, .busy, .other: false
        }
    }
}
