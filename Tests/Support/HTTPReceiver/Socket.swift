import Glibc

/// A connected socket that somebody else closes.
struct Socket {
    private static let partBytes = 16 * 1_024

    private let descriptor: Int32

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var on: Int32 = 1
        setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// A socket that listens at a port of 127.0.0.1; 0 for one that is free.
    static func listen(
        port: UInt16 = 0, backlog: Int32 = 1_024
    ) throws -> (descriptor: Int32, port: UInt16) {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_INET, type, 0)
        guard descriptor >= 0 else { throw SocketError() }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        address.sin_port = port.bigEndian
        // So that a successor gets the port while connections of the one before are still closing.
        var on: Int32 = 1
        setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                guard bind(descriptor, pointer, length) == 0 else { return Int32(-1) }
                guard Glibc.listen(descriptor, backlog) == 0 else { return -1 }
                return getsockname(descriptor, pointer, &length)
            }
        }
        guard result == 0 else {
            defer { close(descriptor) }
            throw SocketError()
        }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// What has come, or nothing when the peer has gone.
    func receive() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.partBytes) { buffer, count in
            repeat {
                count = max(0, recv(descriptor, buffer.baseAddress, buffer.count, 0))
            } while count == 0 && errno == EINTR
        }
    }

    /// False: the peer has gone.
    func send(_ text: String) -> Bool {
        var remaining = Array(text.utf8)[...]
        while !remaining.isEmpty {
            let sent = remaining.withUnsafeBytes { bytes in
                Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            }
            if sent < 0 && errno == EINTR { continue }
            guard sent > 0 else { return false }
            remaining = remaining.dropFirst(sent)
        }
        return true
    }

    func awaitEnd() { while !receive().isEmpty {} }

    /// Makes closing it a reset.
    func abort() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    }
}

/// What the system says about a socket that could not be had.
struct SocketError: Error, CustomStringConvertible {
    let description = String(cString: strerror(errno))
}
