import CFastCGI
import Glibc

/// The epoll instance that all workers share: it holds the listening socket and every idle
/// connection, and wakes one worker for each that is ready.
struct EventQueue: Sendable {
    enum Event {
        case listenerReady
        case connectionReady(Int32)
        case stopped
    }

    private let queue: Int32
    /// Written once, when the workers are to end; never read, so that it wakes every worker.
    private let stopSignal: Int32
    private let listener: Int32

    init(listener: Int32) throws(SocketError) {
        queue = epoll_create1(Int32(EPOLL_CLOEXEC))
        stopSignal = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard queue >= 0, stopSignal >= 0 else {
            throw SocketError("cannot make an epoll instance")
        }
        self.listener = listener
        watch(stopSignal, EPOLLIN.rawValue)
    }

    /// Blocks until there is work for this worker. A signal does not end the wait.
    func next() -> Event {
        var event = epoll_event()
        while epoll_wait(queue, &event, 1, -1) != 1 {
            precondition(errno == EINTR, "epoll_wait fails for no other reason on an open queue")
        }
        return switch event.data.fd {
        case stopSignal: .stopped
        case listener: .listenerReady
        case let connection: .connectionReady(connection)
        }
    }

    /// Wakes one worker for a new connection, not all of them.
    func watchListener() {
        watch(listener, EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue)
    }

    func ignoreListener() {
        epoll_ctl(queue, EPOLL_CTL_DEL, listener, nil)
    }

    /// Watches a new connection for its first request.
    func watch(connection: Int32) {
        watch(connection, EPOLLIN.rawValue | EPOLLONESHOT.rawValue)
    }

    /// Watches an idle connection, that was reported before, for its next request.
    func watchAgain(connection: Int32) {
        change(EPOLL_CTL_MOD, connection, EPOLLIN.rawValue | EPOLLONESHOT.rawValue)
    }

    func stop() {
        eventfd_write(stopSignal, 1)
    }

    private func watch(_ descriptor: Int32, _ events: UInt32) {
        change(EPOLL_CTL_ADD, descriptor, events)
    }

    private func change(_ operation: Int32, _ descriptor: Int32, _ events: UInt32) {
        var event = epoll_event(events: events, data: epoll_data_t(fd: descriptor))
        epoll_ctl(queue, operation, descriptor, &event)
    }
}
