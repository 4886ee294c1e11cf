import Glibc

/// nginx's end of one FastCGI connection, which can also do what nginx never would.
final class Peer {
    enum Failure: Error, Equatable {
        case timedOut
        /// The responder closed the connection before it had answered.
        case closed
        /// The request was ended without a response.
        case unanswered
        case system(Int32)
    }

    private var descriptor: Int32
    private var unread: [UInt8] = []
    /// The process lives as long as its peers.
    private let process: EchoProcess?

    /// - Parameter seconds: for every single read and write.
    init(to path: String, of process: EchoProcess? = nil, seconds: Int = 15) throws(Failure) {
        self.process = process
        descriptor = try Self.connect(to: path)
        wait(seconds: seconds)
    }

    deinit { close() }

    func wait(seconds: Int = 0, milliseconds: Int = 0) {
        var limit = timeval(tv_sec: seconds, tv_usec: milliseconds * 1_000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    /// Says that nothing more will be sent; answers can still be read.
    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    // MARK: - Sending

    func send(_ bytes: [UInt8]) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else {
                throw errno == EAGAIN ? .timedOut : errno == EPIPE ? .closed : .system(errno)
            }
            rest.removeFirst(count)
        }
    }

    func send(_ records: [Record]) throws(Failure) { try send(records.flatMap(\.bytes)) }

    func send(_ message: Message) throws(Failure) { try send(message.bytes) }

    // MARK: - Receiving

    /// - Returns: nil when the responder has closed the connection.
    func record() throws(Failure) -> Record? {
        while true {
            if let record = Record(takingFrom: &unread) { return record }
            guard try read() else { return nil }
        }
    }

    /// The answer to the request that was sent last.
    func answer() throws(Failure) -> Answer {
        var output: [UInt8] = []
        while let record = try record() {
            if record.is(.standardOutput) { output += record.content }
            guard record.is(.endRequest) else { continue }
            let answer = Answer(output: output, protocolStatus: record.content[4])
            guard let answer else { throw .unanswered }
            return answer
        }
        throw .closed
    }

    func answer(to message: Message) throws(Failure) -> Answer {
        try send(message)
        return try answer()
    }

    func text(_ target: String) throws(Failure) -> String {
        try answer(to: Message("GET", target)).text
    }

    /// Waits for the responder to close the connection; what it sends before is thrown away.
    func isClosed() -> Bool {
        do throws(Failure) {
            while try read() {}
            return true
        } catch {
            return false
        }
    }

    /// Why there is no answer, or nil if there is one.
    func failure() -> Failure? {
        do throws(Failure) {
            _ = try answer()
            return nil
        } catch {
            return error
        }
    }

    /// - Returns: false at the end.
    private func read() throws(Failure) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        // Closed with our bytes unread, a Unix socket is reset.
        if count == 0 || (count < 0 && errno == ECONNRESET) { return false }
        guard count > 0 else { throw errno == EAGAIN ? .timedOut : .system(errno) }
        unread += chunk.prefix(count)
        return true
    }

    private static func connect(to path: String) throws(Failure) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw .system(errno) }
        let result = withSocketAddress(path) { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw .system(code)
        }
        return descriptor
    }
}

func withSocketAddress<Result>(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) -> Result {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
}
