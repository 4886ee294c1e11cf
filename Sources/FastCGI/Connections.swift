import CFastCGI
import Glibc
import Synchronization

/// Counts the open connections and accepts no more than the limit.
final class Connections: Sendable {
    enum Accepted {
        case accepted(Int32)
        /// Another worker was faster.
        case none
        case full
        /// With `errno`: out of descriptors or memory.
        case failed(Int32)
    }

    private let listener: Int32
    private let limits: Responder.Limits
    private let open = Atomic<Int>(0)
    /// Whether the listener is out of the queue, until there is room again. The lock keeps the two
    /// in step: a worker's pause that overlapped the next resume left the listener out for good.
    private let isPaused = Mutex(false)

    init(on listener: Int32, limits: Responder.Limits) {
        self.listener = listener
        self.limits = limits
    }

    var count: Int { open.load(ordering: .relaxed) }

    func accept() -> Accepted {
        let before = open.add(1, ordering: .relaxed).oldValue
        guard before < limits.connectionsMax else {
            closed()
            return .full
        }
        let connection = Glibc.accept(listener, nil, nil)
        guard connection >= 0 else {
            let code = errno
            closed()
            let isNothing = code == EAGAIN || code == EINTR || code == ECONNABORTED
            return isNothing ? .none : .failed(code)
        }
        limitWaits(on: connection)
        return .accepted(connection)
    }

    func closed() {
        open.subtract(1, ordering: .relaxed)
    }

    /// Leaves new connections in the kernel's queue: without descriptors an event for them would
    /// keep every worker awake.
    func pause(on queue: EventQueue) {
        isPaused.withLock { isPaused in
            if isPaused { return }
            queue.ignoreListener()
            isPaused = true
        }
    }

    /// Called at every tick: accepts again when there is room.
    func resume(on queue: EventQueue) {
        isPaused.withLock { isPaused in
            guard isPaused, count < limits.connectionsMax else { return }
            queue.watchListener()
            isPaused = false
        }
    }

    /// A peer that stops in the middle of a request must not own a worker.
    private func limitWaits(on connection: Int32) {
        var wait = timeval(tv_sec: limits.peerSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &wait, size)
        setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &wait, size)
    }
}
