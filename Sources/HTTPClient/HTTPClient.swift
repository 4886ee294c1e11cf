import Synchronization

/// Sends requests to other people's servers, any number of threads at once.
///
/// Made for servers that nobody here knows: every wait and every byte of an answer is bounded,
/// certificates are verified, redirects are not followed, no proxy, cookie or password comes from
/// the environment, and only addresses that ``Options/addresses`` allows are connected to.
/// Connections are kept for later calls. The process ignores SIGPIPE from the first client on.
public final class HTTPClient: Sendable {
    /// What requests may cost, and where they may go.
    public struct Options: Sendable {
        /// Milliseconds for a name to be looked up and a connection, with TLS, to be made.
        public var connectMilliseconds = 5_000
        /// Milliseconds for a request from its start to the last byte of its answer. If only a part of
        /// the body is missing then, the answer counts.
        public var totalMilliseconds = 15_000
        /// Requests of one call under way at once, each on a connection; others wait for their turn.
        public var concurrentMax = 64
        /// Bytes of an answer's body that are waited for, to use the connection again.
        public var bodyBytesMax = 64 * 1_024
        /// Which addresses may be connected to.
        public var addresses = AddressPolicy.publicOnly
        /// File of the certificates of the authorities that are trusted; nil: the system's.
        public var certificateAuthorities: String?

        /// Public addresses only, 15 seconds for a request.
        public init() {}
    }

    /// Calls that keep their connections: enough for every thread that delivers, and above it a
    /// call only connects anew.
    private static let idleSessionsMax = 32

    private let options: Options
    private let idle = Mutex<[Session]>([])

    /// Opens nothing yet.
    public init(_ options: Options = Options()) {
        precondition(Library.isReady, "libcurl does not start")
        self.options = options
    }

    /// Sends requests and waits for all their answers, whatever the statuses.
    ///
    /// Blocks for ``Options/totalMilliseconds`` at most, times the number of turns that
    /// ``Options/concurrentMax`` makes of the requests. A request may arrive twice: one sent on a
    /// kept connection that the server closes at that moment is sent again on a new one.
    ///
    /// - Returns: for each request, in their order, its answer or why there is none.
    public func send(_ requests: [Request]) -> [Result<Response, Failure>] {
        let session = idle.withLock { $0.popLast() } ?? Session(options)
        let results = session.send(requests)
        let spare = idle.withLock { idle -> Session? in
            guard idle.count < Self.idleSessionsMax else { return session }
            idle.append(session)
            return nil
        }
        withExtendedLifetime(spare) {}  // Closing connections takes time, so not under the lock.
        return results
    }
}
