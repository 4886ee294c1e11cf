import Glibc
import Threads

/// A real HTTP/1.1 server on loopback, which reacts as a test wants and remembers what it got.
///
/// One thread a connection. Letting go of it ends it, its connections included.
public final class Receiver: Sendable {
    /// What it does with a request.
    public enum Reaction: Sendable {
        /// Answers, and keeps the connection.
        case answer(_ status: Int, headers: [String: String] = [:], body: String = "")
        /// Says nothing until the peer goes.
        case hang
        /// Breaks the connection without a word.
        case reset
        /// Answers 200 with a body that goes on until the peer goes.
        case endlessBody
        /// Sends these bytes, whatever they are.
        case bytes(String, then: End = .close)
    }

    /// What becomes of a connection.
    public enum End: Sendable {
        case close, hang, reset
    }

    /// `http://127.0.0.1:…`, without a path.
    public let url: String
    /// The port of 127.0.0.1.
    public let port: UInt16
    private let state: Monitor<State>
    private let listener: Int32
    private let acceptor: WorkerThread

    private struct State {
        var arrivals: [Arrival] = []
        var connections: Set<Int32> = []
        var connectionsMade = 0
        var isStopped = false
    }

    /// Listens.
    ///
    /// - Parameters:
    ///   - port: of 127.0.0.1; 0 for one that is free.
    ///   - react: may block, which holds up one connection.
    public init(
        port: UInt16 = 0, _ react: @escaping @Sendable (Arrival) -> Reaction = { _ in .answer(200) }
    ) throws {
        let (listener, port) = try Socket.listen(port: port)
        let state = Monitor(State())
        self.listener = listener
        self.port = port
        self.state = state
        url = "http://127.0.0.1:\(port)"
        acceptor = WorkerThread { Self.accept(on: listener, state, react) }
    }

    deinit {
        state.update { state in
            state.isStopped = true
            for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
        }
        shutdown(listener, Int32(SHUT_RDWR))
        acceptor.join()
        close(listener)
    }

    /// All requests so far.
    public var arrivals: [Arrival] { state.update { $0.arrivals } }

    /// Connections so far.
    public var connectionsMade: Int { state.update { $0.connectionsMade } }

    /// The requests, as soon as there are so many; nil when they do not come in time.
    public func arrivals(_ count: Int, withinMilliseconds limit: Int = 30_000) -> [Arrival]? {
        state.take(withinMilliseconds: limit) { state, _ in
            state.arrivals.count >= count ? state.arrivals : nil
        }
    }

    // MARK: - On its threads

    private static func accept(
        on listener: Int32, _ state: Monitor<State>,
        _ react: @escaping @Sendable (Arrival) -> Reaction
    ) {
        while true {
            let connection = Glibc.accept(listener, nil, nil)
            if connection < 0 && (errno == EINTR || errno == ECONNABORTED) { continue }
            guard connection >= 0 else { return }
            let number = state.update { state -> Int? in
                if state.isStopped { return nil }
                state.connections.insert(connection)
                state.connectionsMade += 1
                return state.connectionsMade
            }
            guard let number else {
                close(connection)
                return
            }
            _ = WorkerThread(stackBytes: 256 << 10) {
                serve(Socket(connection), number, state, react)
                state.update { _ = $0.connections.remove(connection) }
                close(connection)
            }
        }
    }

    private static func serve(
        _ socket: Socket, _ number: Int, _ state: Monitor<State>,
        _ react: (Arrival) -> Reaction
    ) {
        var reader = RequestReader(socket)
        while let arrival = reader.next(onConnection: number) {
            state.update { $0.arrivals.append(arrival) }
            switch react(arrival) {
            case .answer(let status, let headers, let body):
                guard socket.send(answer(status, headers, body)) else { return }
            case .hang:
                return socket.awaitEnd()
            case .reset:
                return socket.abort()
            case .endlessBody:
                let part = String(repeating: "x", count: 1_024)
                guard socket.send("HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n") else {
                    return
                }
                while socket.send(part) {}
                return
            case .bytes(let text, let end):
                _ = socket.send(text)
                switch end {
                case .close: return
                case .hang: return socket.awaitEnd()
                case .reset: return socket.abort()
                }
            }
        }
    }

    private static func answer(
        _ status: Int, _ headers: [String: String], _ body: String
    ) -> String {
        let start = "HTTP/1.1 \(status) As Told\r\nContent-Length: \(body.utf8.count)\r\n"
        return start + headers.map { "\($0): \($1)\r\n" }.joined() + "\r\n" + body
    }
}
