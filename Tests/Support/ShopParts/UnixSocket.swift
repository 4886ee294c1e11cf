import Glibc

/// A connected or listening Unix socket; releasing it closes it.
package final class UnixSocket: Sendable {
    package let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    package static func connected(to path: String) throws -> UnixSocket {
        let socket = try UnixSocket()
        guard socket.using(path, Glibc.connect) == 0 else { throw failure("connect to", path) }
        return socket
    }

    package static func listening(at path: String) throws -> UnixSocket {
        let socket = try UnixSocket()
        guard socket.using(path, Glibc.bind) == 0, listen(socket.descriptor, 4_096) == 0 else {
            throw failure("listen at", path)
        }
        return socket
    }

    /// - Returns: nil when the socket was shut down.
    package func accept() -> UnixSocket? {
        let accepted = Glibc.accept(descriptor, nil, nil)
        guard accepted >= 0 else { return nil }
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        return UnixSocket(accepted)
    }

    /// - Returns: what has come, after at least one byte; nothing at the end.
    package func receive() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return Array(buffer.prefix(max(0, count)))
    }

    package func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure("the peer has gone") }
            rest = rest.dropFirst(count)
        }
    }

    /// Bounds every wait for the peer.
    package func giveUp(afterSeconds seconds: Int) {
        var patience = timeval(tv_sec: seconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
    }

    /// Wakes whoever waits on it.
    package func hangUp() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private convenience init() throws {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw Failure("no socket to be had") }
        self.init(descriptor)
    }

    private func using(
        _ path: String, _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                call(descriptor, address, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func failure(_ what: String, _ path: String) -> Failure {
        Failure("cannot \(what) \(path): \(String(cString: strerror(errno)))")
    }
}

/// A listening socket that outlives the responders which inherit it, as systemd's do.
package final class InheritedSocket: Sendable {
    private let socket: UnixSocket

    package init(at path: String) throws { socket = try UnixSocket.listening(at: path) }

    package var descriptor: Int32 { socket.descriptor }
}
