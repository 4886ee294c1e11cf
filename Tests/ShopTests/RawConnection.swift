import Glibc

/// A connection that carries whatever bytes, and need not make sense.
final class RawConnection: Sendable {
    private let descriptor: Int32
    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(port)
        let result = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure("cannot connect to port \(port)") }
    }

    init(path: String) throws {
        let socket = try UnixSocket.connected(to: path)
        descriptor = fcntl(socket.descriptor, F_DUPFD_CLOEXEC, 0)
    }

    deinit { close(descriptor) }

    /// Reads until the other side closes the connection; after the first bytes it learns that nothing
    /// more will come.
    ///
    /// - Returns: nil when it does not close in time.
    func receiveAll(patienceSeconds: Int) -> [UInt8]? {
        var received: [UInt8] = []
        while isReadable(withinMilliseconds: Int32(patienceSeconds) * 1_000) {
            let more = receive()
            if more.isEmpty { return received }
            received += more
            finishSending()
        }
        return nil
    }

    func isReadable(withinMilliseconds milliseconds: Int32) -> Bool {
        var interest = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&interest, 1, milliseconds) > 0
    }

    /// - Returns: nothing at the end. (Closed with our bytes unread, a socket is reset.)
    func receive() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return Array(buffer.prefix(max(0, count)))
    }

    /// The other side may have had enough before all is sent.
    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }
}
