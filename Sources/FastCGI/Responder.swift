import Glibc
import HTTPTypes
public import Logging
import Synchronization
public import Threads

/// Answers the requests that nginx sends over one listening socket.
///
/// A fixed number of worker threads share one ``EventQueue``. A handler may block; what exceeds the
/// workers waits unread in the kernel, which is the back-pressure.
public final class Responder: Sendable {
    /// The bounds of a responder.
    public struct Limits: Sendable {
        /// Threads, and so requests handled at one time.
        public var workers = 128
        /// Workers that wait for events or handle a request without blocking: see ``Seats``.
        public var seats = max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        /// Of one worker. Reserved, not used up: the deepest calls are those of the C libraries.
        public var stackBytes = 1 << 20
        /// Above what nginx keeps: its worker processes times `keepalive`. Further connections wait
        /// to be accepted.
        public var connectionsMax = 4_096
        /// As nginx's `client_max_body_size`.
        public var bodyBytesMax = 64 << 10
        /// For a peer to send the rest of a request, or to take a response.
        public var peerSeconds = 5
        /// For a drain. nginx closes a kept connection within `keepalive_time` (10 s) under load
        /// and `keepalive_timeout` (2 s) without.
        public var drainSeconds = 20

        public init() {}
    }

    /// Handles one request. Before it waits for long on this thread, it gives up its seat.
    public typealias Handler = @Sendable (Request, Seat) -> Answer

    private static let tickMilliseconds = 20

    private let socket: ListeningSocket
    private let limits: Limits
    private let logger: Logger
    private let handler: Handler
    private let queue: EventQueue
    private let seats: Seats
    private let connections: Connections
    private let nextComplaint = Mutex(MonotonicTime.now)
    /// Exchanges that have answered and wait for a worker.
    private let spares = Mutex<[Exchange]>([])
    private let inHand = Atomic<Int>(0)
    private let busy = Atomic<Int>(0)
    /// Whether the drain took too long, so that each connection is closed after its response.
    private let isClosing = Atomic<Bool>(false)

    /// - Throws: ``SocketError`` when the kernel refuses what the loop needs.
    public init(
        on socket: ListeningSocket, limits: Limits = Limits(), logger: Logger,
        handler: @escaping Handler
    ) throws(SocketError) {
        precondition(Exchange.libraryIsReady, "libfcgi could not be initialised")
        self.socket = socket
        self.limits = limits
        self.logger = logger
        self.handler = handler
        queue = try EventQueue(listener: socket.descriptor)
        seats = Seats(count: limits.seats)
        connections = Connections(on: socket.descriptor, limits: limits)
        let flags = fcntl(socket.descriptor, F_GETFL)
        _ = fcntl(socket.descriptor, F_SETFL, flags | O_NONBLOCK)
    }

    /// Requests that have been read and not yet answered.
    public var requestsInHand: Int { inHand.load(ordering: .relaxed) }

    /// Workers that have a request in hand. One that awaits an answer holds none.
    public var workersBusy: Int { busy.load(ordering: .relaxed) }

    /// Serves until `signals` reports a stop, then drains: everything that has arrived is answered.
    ///
    /// The kept connections are served until nginx closes them, because a connection that we close
    /// may already carry nginx's next request, and a POST that was sent is not sent again.
    public func run(until signals: StopSignals) {
        let workers = startWorkers()
        signals.wait { tick() }
        let everyWorkerIsIdle = drain(signals)
        queue.stop()
        guard everyWorkerIsIdle else { return }  // The process ends with the stuck ones.
        for worker in workers { worker.join() }
    }

    private func startWorkers() -> [WorkerThread] {
        queue.watchListener()
        return (0..<limits.workers).map { _ in
            WorkerThread(stackBytes: limits.stackBytes) { self.work() }
        }
    }

    private func tick() {
        connections.resume(on: queue)
        seats.takeBack()
    }

    /// - Returns: whether every worker has come to rest.
    private func drain(_ signals: StopSignals) -> Bool {
        logger.info("draining", metadata: ["connections": "\(connections.count)"])
        socket.unbind()
        queue.ignoreListener()
        acceptAll()
        let isDrained = signals.wait(seconds: limits.drainSeconds) {
            seats.takeBack()
            if socket.isOwn { acceptAll() }  // What waited for room; no more can come.
            return connections.count == 0 && requestsInHand == 0
        }
        if isDrained { return true }
        logger.warning("closing kept connections", metadata: ["count": "\(connections.count)"])
        isClosing.store(true, ordering: .relaxed)
        return signals.wait(seconds: limits.peerSeconds) { requestsInHand == 0 }
    }

    // MARK: - Beside another

    /// A responder that serves on threads of its own, beside what else the process does.
    public final class Running: Sendable {
        private let responder: Responder
        private let workers: [WorkerThread]
        private let isStopped: Monitor<Bool>
        private let ticker: WorkerThread

        fileprivate init(_ responder: Responder) {
            self.responder = responder
            workers = responder.startWorkers()
            let isStopped = Monitor(false)
            self.isStopped = isStopped
            ticker = WorkerThread {
                let tick = Responder.tickMilliseconds
                while isStopped.take(withinMilliseconds: tick, Self.yes) == nil {
                    responder.tick()
                }
            }
        }

        private static func yes(_ isStopped: inout Bool, _: Bool) -> Bool? {
            isStopped ? true : nil
        }

        /// Answers what it has read, then closes the kept connections and ends. A request that comes
        /// at that moment is lost: only what may be asked again belongs on such a responder.
        public func stop() {
            isStopped.update { $0 = true }
            ticker.join()
            guard responder.end() else { return }
            for worker in workers { worker.join() }
        }
    }

    /// Serves from now on, until ``Running/stop()``.
    public func start() -> Running { Running(self) }

    /// - Returns: whether every worker has come to rest.
    private func end() -> Bool {
        socket.unbind()
        queue.ignoreListener()
        acceptAll()
        isClosing.store(true, ordering: .relaxed)
        let deadline = MonotonicTime.now.advanced(byMilliseconds: limits.peerSeconds * 1_000)
        while requestsInHand > 0 && .now < deadline {
            seats.takeBack()
            usleep(UInt32(Self.tickMilliseconds * 1_000))
        }
        queue.stop()
        return requestsInHand == 0
    }

    // MARK: - One worker

    private func work() {
        var exchange = takeExchange()
        let seat = seats.makeSeat()
        defer { seat.giveUp() }
        while true {
            seat.take()
            switch queue.next() {
            case .listenerReady: acceptOne()
            case .connectionReady(let connection):
                exchange = serve(connection, with: exchange, from: seat)
            case .stopped: return
            }
        }
    }

    private func acceptAll() {
        while acceptOne() {}
    }

    /// - Returns: whether there may be more to accept.
    @discardableResult
    private func acceptOne() -> Bool {
        switch connections.accept() {
        case .accepted(let connection):
            queue.watch(connection: connection)
            return true
        case .none:
            return false
        case .full:
            connections.pause(on: queue)
            return false
        case .failed(let code):
            connections.pause(on: queue)
            complain(about: code)
            return false
        }
    }

    /// Logs that a connection cannot be accepted; once a second, since it is tried at every tick.
    private func complain(about code: Int32) {
        let isDue = nextComplaint.withLock { next in
            let isDue = next < .now
            if isDue { next = .now.advanced(byMilliseconds: 1_000) }
            return isDue
        }
        guard isDue else { return }
        logger.error("cannot accept", metadata: ["error": "\(String(cString: strerror(code)))"])
    }

    /// - Returns: the exchange for the next request: another one while this one awaits an answer.
    private func serve(
        _ connection: Int32, with exchange: Exchange, from seat: Seat
    ) -> Exchange {
        seat.beginRequest()
        inHand.add(1, ordering: .relaxed)
        busy.add(1, ordering: .relaxed)
        defer { busy.subtract(1, ordering: .relaxed) }
        switch exchange.receive(from: connection, bodyBytesMax: limits.bodyBytesMax) {
        case .request(let request):
            switch handler(request, seat) {
            case .now(let response): conclude(exchange, with: response)
            case .later(let begin):
                begin(Reply(exchange, through: self))
                return takeExchange()
            }
        case .tooLarge: conclude(exchange, with: Response(status: .contentTooLarge))
        case .malformed: conclude(exchange, with: Response(status: .badRequest))
        case .nothing: conclude(exchange, with: nil)
        }
        return exchange
    }

    private func takeExchange() -> Exchange {
        spares.withLock { $0.popLast() } ?? Exchange()
    }

    /// - Parameter response: nil when there is nobody to answer.
    private func conclude(_ exchange: Exchange, with response: Response?) {
        if let response { exchange.send(response) } else { exchange.closeAfterwards() }
        if isClosing.load(ordering: .relaxed) { exchange.closeAfterwards() }
        if exchange.finish() {
            queue.watchAgain(connection: exchange.connection)
        } else {
            connections.closed()
        }
        inHand.subtract(1, ordering: .relaxed)
    }

    fileprivate func conclude(later exchange: Exchange, with response: Response) {
        conclude(exchange, with: response)
        spares.withLock { $0.append(exchange) }
    }
}

/// What a handler makes of a request.
public enum Answer: Sendable {
    case now(Response)
    /// The function is called at once and sees to it that the reply is sent. The worker does not
    /// wait for that, so any number of requests can wait for the same commit without a thread each.
    case later(@Sendable (Reply) -> Void)
}

/// The duty to answer one request: to be sent once, from any thread.
public final class Reply: Sendable {
    private let exchange: Exchange
    private let responder: Responder
    private let isSent = Atomic<Bool>(false)

    fileprivate init(_ exchange: Exchange, through responder: Responder) {
        self.exchange = exchange
        self.responder = responder
    }

    deinit {
        precondition(isSent.load(ordering: .relaxed), "a request was never answered")
    }

    /// Sends the response.
    public func send(_ response: Response) {
        let wasSent = isSent.exchange(true, ordering: .relaxed)
        precondition(!wasSent, "a request was answered twice")
        responder.conclude(later: exchange, with: response)
    }
}
