import CFastCGI
import Glibc
import HTTPTypes

/// One worker's seat at libfcgi: reads a request from a connection that is ready, writes the
/// response, and gives the connection back.
///
/// libfcgi would accept connections itself and stay with one until its peer closes it, so an idle
/// kept connection would own a thread. Here an epoll instance watches the idle connections instead,
/// and libfcgi is handed one that has something to read: with `ipcFd` set and no listening socket,
/// `FCGX_Accept_r` reads that connection's next request instead of accepting, and fails at once
/// when the peer has closed.
///
/// A connection that libfcgi closes it first shuts down and then watches with `select`, for up to
/// two seconds and with room for 1,024 descriptors. It takes a `detached` connection to be somebody
/// else's and just closes it. `ipcFd`, `keepConnection` and `detached` are fields that the header
/// asks not to use; this file is the only one that does.
///
/// Unchecked: one thread at a time uses it, the worker that read the request and then whoever
/// answers it.
final class Exchange: @unchecked Sendable {
    /// libfcgi keeps pointers to it, so it needs an address of its own.
    private let handle: UnsafeMutablePointer<FCGX_Request>
    /// The connection that the request came on.
    private(set) var connection: Int32 = noConnection
    private var isHead = false

    private static let noListeningSocket: Int32 = -1
    private static let noConnection: Int32 = -1
    /// Of a body that is too long, read to keep the connection.
    private static let discardedBytesMax = 1 << 20

    /// `FCGX_Init` has been called: it is once a process, and before the first thread.
    static let libraryIsReady: Bool = FCGX_Init() == 0

    init() {
        precondition(Self.libraryIsReady, "libfcgi could not be initialised")
        handle = .allocate(capacity: 1)
        handle.initialize(to: FCGX_Request())
        FCGX_InitRequest(handle, Self.noListeningSocket, 0)
    }

    deinit {
        FCGX_Free(handle, 1)
        handle.deallocate()
    }

    /// What came in on a connection.
    enum Arrival {
        case request(Request)
        /// The body is longer than allowed; what there is of it was not kept.
        case tooLarge
        /// A well-formed FastCGI request that is not an HTTP request.
        case malformed
        /// The peer closed, timed out, or did not speak FastCGI: there is nobody to answer.
        case nothing
    }

    /// Reads one request. Blocks until it is complete, at most the socket's receive time-out for
    /// each piece of it.
    ///
    /// Always followed by one ``finish()``.
    func receive(from connection: Int32, bodyBytesMax: Int) -> Arrival {
        self.connection = connection
        isHead = false
        handle.pointee.ipcFd = connection
        handle.pointee.keepConnection = 1
        handle.pointee.detached = 1
        guard FCGX_Accept_r(handle) == 0, let list = handle.pointee.envp else { return .nothing }
        let head = Parameters(list).head()
        guard let body = readBody(bodyBytesMax) else { return .nothing }
        if body.count > bodyBytesMax { return .tooLarge }
        guard let head, let method = head.method else { return .malformed }
        guard body.count == head.contentLength ?? body.count else { return .nothing }
        isHead = method == .head
        return .request(
            Request(
                method: method, target: head.target, headerFields: head.headerFields, body: body))
    }

    /// Reads to the end of the stream, so that the connection stands at the next request. What is
    /// beyond the limit is not kept; a stream without an end in sight costs the connection.
    ///
    /// - Returns: a body longer than the limit for one that is too long; nil when the stream broke
    ///   off.
    private func readBody(_ limit: Int) -> [UInt8]? {
        var body: [UInt8] = []
        var bytesRead = 0
        let stream = handle.pointee.in
        withUnsafeTemporaryAllocation(byteCount: 4_096, alignment: 1) { chunk in
            var count = chunk.count
            while count == chunk.count && bytesRead <= limit + Self.discardedBytesMax {
                let start = chunk.baseAddress?.assumingMemoryBound(to: CChar.self)
                count = Int(FCGX_GetStr(start, Int32(chunk.count), stream))
                if body.count <= limit { body.append(contentsOf: chunk.prefix(count)) }
                bytesRead += count
            }
            if count == chunk.count { handle.pointee.keepConnection = 0 }
        }
        return FCGX_GetError(stream) == 0 ? body : nil
    }

    /// Sends a response. A peer that has gone is noticed at ``finish()``.
    func send(_ response: Response) {
        let bytes = response.serialized(withoutBody: isHead)
        bytes.withUnsafeBytes { bytes in
            let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            _ = FCGX_PutStr(start, Int32(bytes.count), handle.pointee.out)
        }
    }

    /// Asks that the connection be closed after this response.
    func closeAfterwards() {
        handle.pointee.keepConnection = 0
    }

    /// Ends the exchange.
    ///
    /// - Returns: whether the connection is still open; it is then the caller's again.
    func finish() -> Bool {
        FCGX_Finish_r(handle)
        let isOpen = handle.pointee.ipcFd != Self.noConnection
        handle.pointee.ipcFd = Self.noConnection
        return isOpen
    }
}

extension Response {
    /// The response in CGI form (RFC 3875, 6): the status is a field.
    fileprivate func serialized(withoutBody: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(body.count + 512)
        bytes.append(contentsOf: "Status: \(status.code) \(status.reasonPhrase)\r\n".utf8)
        for field in headerFields {
            bytes.append(contentsOf: field.name.rawName.utf8)
            bytes.append(contentsOf: ": ".utf8)
            bytes.append(contentsOf: field.value.utf8)
            bytes.append(contentsOf: "\r\n".utf8)
        }
        bytes.append(contentsOf: "Content-Length: \(body.count)\r\n\r\n".utf8)
        if !withoutBody && status != .notModified { bytes.append(contentsOf: body) }
        return bytes
    }
}
