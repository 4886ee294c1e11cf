import Glibc

/// A port where connections are neither taken nor refused: its queue is full.
public final class FullPort: Sendable {
    /// `http://127.0.0.1:…`
    public let url: String
    private let listener: Int32
    private let queued: [Int32]

    public init() throws {
        let (listener, port) = try Socket.listen(backlog: 0)
        self.listener = listener
        url = "http://127.0.0.1:\(port)"
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        address.sin_port = port.bigEndian
        // One fits into a queue of none; the others make sure.
        queued = (1...4).map { _ in
            let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue)
            let descriptor = socket(AF_INET, type, 0)
            withUnsafePointer(to: address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    _ = connect(
                        descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            return descriptor
        }
    }

    deinit { for descriptor in queued + [listener] { close(descriptor) } }
}
