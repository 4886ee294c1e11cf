import Glibc

/// The Unix socket on which nginx reaches the responder. Closed with the process.
public struct ListeningSocket: Sendable {
    let descriptor: Int32
    /// Where it was bound; nil for a socket that was passed to the process.
    private let binding: Binding?

    /// Whether nobody but this process accepts from it: a passed socket outlives the process.
    var isOwn: Bool { binding != nil }

    private struct Binding: Sendable {
        let path: String
        let device: dev_t
        let inode: ino_t
    }

    /// Connections that wait in the kernel while all workers are busy. The kernel lowers it to
    /// `net.core.somaxconn` (4096 since Linux 5.4); beyond it nginx answers 502 at once.
    private static let backlog: Int32 = 4_096

    /// Takes the listening socket that systemd or spawn-fcgi passed on descriptor 0.
    ///
    /// - Returns: nil when descriptor 0 is not a listening socket.
    public static func inherited() -> ListeningSocket? {
        var isListening: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        let result = getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size)
        guard result == 0, isListening == 1 else { return nil }
        return ListeningSocket(descriptor: STDIN_FILENO, binding: nil)
    }

    /// Binds a socket with mode 0660 at a path.
    ///
    /// It is bound beside the path and then renamed over it, so a predecessor is replaced without
    /// a moment at which nginx finds no socket.
    ///
    /// - Throws: ``SocketError`` when the path is too long or cannot be written.
    public static func bound(to path: String) throws(SocketError) -> ListeningSocket {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw SocketError("cannot make a socket") }
        let draft = "\(path).\(getpid())"
        do throws(SocketError) {
            try bind(descriptor, to: draft)
            guard chmod(draft, 0o660) == 0 else { throw SocketError("cannot set the mode", draft) }
            guard listen(descriptor, backlog) == 0 else {
                throw SocketError("cannot listen", draft)
            }
            guard rename(draft, path) == 0 else { throw SocketError("cannot rename to", path) }
            let (device, inode) = try identity(of: path)
            return ListeningSocket(
                descriptor: descriptor,
                binding: Binding(path: path, device: device, inode: inode))
        } catch {
            close(descriptor)
            unlink(draft)
            throw error
        }
    }

    private static func bind(_ descriptor: Int32, to path: String) throws(SocketError) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path) - 1
        guard path.utf8.count <= capacity else {
            throw SocketError("a socket's path has at most \(capacity) bytes:", path, errno: 0)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        unlink(path)  // A draft of a process that had our number and was killed.
        let result = withUnsafePointer(to: address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                Glibc.bind(descriptor, address, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw SocketError("cannot bind", path) }
    }

    private static func identity(of path: String) throws(SocketError) -> (dev_t, ino_t) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw SocketError("cannot read", path) }
        return (status.st_dev, status.st_ino)
    }

    /// Takes the path away, so that no new connection can begin. A successor's socket stays.
    func unbind() {
        guard let binding, let found = try? Self.identity(of: binding.path),
            found == (binding.device, binding.inode)
        else { return }
        unlink(binding.path)
    }
}

/// A socket that cannot be had, in a sentence for the operator.
public struct SocketError: Error, CustomStringConvertible {
    public let description: String

    init(_ problem: String, _ path: String? = nil, errno code: Int32 = errno) {
        let cause = code == 0 ? nil : String(cString: strerror(code))
        let place = path.map { " \($0)" } ?? ""
        description = problem + place + (cause.map { ": \($0)" } ?? "")
    }
}
