import Glibc

/// A connected stream socket on which no wait is longer than ``waitMilliseconds``. Releasing it
/// closes it.
struct Socket: ~Copyable {
    /// Milliseconds to wait for a connection, for room to send or for the next bytes: a hundred times
    /// what a local memcached needs, and little enough that a request survives it.
    static let waitMilliseconds = 100

    private let descriptor: Int32

    /// Takes a connected socket over.
    init(taking descriptor: Int32) {
        self.descriptor = descriptor
        // The kernel bounds each wait by itself, which spares a call of poll each time. A connect
        // is bounded by the time for sending (socket(7)).
        var limit = timeval(tv_sec: 0, tv_usec: Self.waitMilliseconds * 1_000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
    }

    deinit { close(descriptor) }

    /// Connects.
    static func connected(to address: Memcached.Address) throws(Unavailable) -> Socket {
        switch address {
        case .socket(let path): try connected(toPath: path)
        case .host(let name, let port): try connected(toHost: name, port)
        }
    }

    private static func connected(toPath path: String) throws(Unavailable) -> Socket {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // One byte is for the zero at the end.
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw Unavailable(.failed("the path of its socket is too long"))
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return try withUnsafePointer(to: &address) { address throws(Unavailable) in
            try address.withMemoryRebound(
                to: sockaddr.self, capacity: 1
            ) { address throws(Unavailable) in
                let size = socklen_t(MemoryLayout<sockaddr_un>.size)
                return try connected(AF_UNIX, address, size)
            }
        }
    }

    /// Tries the addresses of a name one after the other.
    private static func connected(
        toHost name: String, _ port: UInt16
    ) throws(Unavailable) -> Socket {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(name, "\(port)", &hints, &first)
        guard code == 0 else {
            throw Unavailable(.failed("\(name): \(String(cString: gai_strerror(code)))"))
        }
        defer { freeaddrinfo(first) }
        var failure = Unavailable(.failed("\(name) has no address"))
        var next = first
        while let info = next?.pointee {
            next = info.ai_next
            do throws(Unavailable) {
                let socket = try connected(info.ai_family, info.ai_addr, info.ai_addrlen)
                var on: Int32 = 1
                setsockopt(
                    socket.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on,
                    socklen_t(MemoryLayout<Int32>.size))
                return socket
            } catch {
                failure = error
            }
        }
        throw failure
    }

    private static func connected(
        _ family: Int32, _ address: UnsafePointer<sockaddr>, _ size: socklen_t
    ) throws(Unavailable) -> Socket {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = Glibc.socket(family, type, 0)
        guard descriptor >= 0 else { throw failure("no socket") }
        let socket = Socket(taking: descriptor)
        guard connect(descriptor, address, size) == 0 else { throw failure("connect") }
        return socket
    }

    /// Whether there is something to read, be it the end: where nothing was asked, nothing is right.
    var hasSomethingToRead: Bool {
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) >= 0
            || errno != EAGAIN
    }

    /// Sends some of the bytes.
    ///
    /// - Returns: how many were taken; 0 when a signal interrupted the wait.
    func send(_ bytes: ArraySlice<UInt8>) throws(Unavailable) -> Int {
        let count = bytes.withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if count < 0 && errno == EINTR { return 0 }
        guard count >= 0 else { throw Self.failure("send") }
        return count
    }

    /// Waits for bytes.
    ///
    /// - Returns: how many have come; 0 when a signal interrupted the wait.
    func receive(into room: UnsafeMutableRawBufferPointer) throws(Unavailable) -> Int {
        let count = recv(descriptor, room.baseAddress, room.count, 0)
        if count < 0 && errno == EINTR { return 0 }
        guard count >= 0 else { throw Self.failure("receive") }
        guard count > 0 else { throw Unavailable(.failed("it closed the connection")) }
        return count
    }

    private static func failure(_ act: String) -> Unavailable {
        let isLate = errno == EAGAIN || errno == EINPROGRESS
        let reason = isLate ? "not in time" : String(cString: strerror(errno))
        return Unavailable(.failed("\(act): \(reason)"))
    }
}
