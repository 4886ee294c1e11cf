import Glibc
import MariaDB
import Synchronization
import Testing

/// A server that is not the shop's, and asks for the password itself.
@Suite struct FalseServers {
    private static let password = "open sesame 한"
    private static let plugins = [
        "mysql_clear_password", "dialog", "sha256_password", "caching_sha2_password",
        "mysql_old_password",
    ]

    @Test(arguments: plugins, [true, false])
    func `it never gets the password`(plugin: String, asksLater: Bool) throws {
        let server = try FalseServer(asking: plugin, asksLater: asksLater)
        let login = Server(
            address: .host(name: "127.0.0.1", port: server.port), user: "shop",
            password: Self.password, database: nil)
        #expect(throws: DatabaseError.self) { try Connection(to: login) }
        let heard = server.heard
        // A client that is asked at once says nothing at all.
        #expect(heard.contains(Array("shop\0".utf8)) == asksLater)
        #expect(!heard.contains(Array(Self.password.utf8)))
        #expect(!heard.contains(Array("open sesame".utf8)))
    }
}

extension [UInt8] {
    fileprivate func contains(_ part: [UInt8]) -> Bool {
        indices.contains { dropFirst($0).starts(with: part) }
    }
}

/// Speaks as much of MariaDB's protocol as it takes to ask for a password, with one client.
private final class FalseServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let said = Said()
    private let work: Background<Void>

    private final class Said: Sendable { let bytes = Mutex<[UInt8]>([]) }

    /// All that the client has said; waits until it has gone.
    var heard: [UInt8] {
        work.value()
        return said.bytes.withLock { $0 }
    }

    /// - Parameters:
    ///   - plugin: how the client is to log in.
    ///   - asksLater: whether it is asked to change to it, and not from the beginning.
    init(asking plugin: String, asksLater: Bool) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, length) | listen(listener, 1)
                    | getsockname(listener, pointer, &length)
            }
        }
        try #require(result == 0)
        self.listener = listener
        port = UInt16(bigEndian: address.sin_port)
        let said = said
        work = Background {
            let client = accept(listener, nil, nil)
            var limit = timeval(tv_sec: 10, tv_usec: 0)
            setsockopt(
                client, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            defer { close(client) }
            func say(_ payload: [UInt8], _ number: UInt8) {
                let packet = [UInt8(payload.count & 0xFF), UInt8(payload.count >> 8), 0, number]
                _ = (packet + payload).withUnsafeBytes {
                    send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
            }
            func hear() -> Bool {
                var part = [UInt8](repeating: 0, count: 4_096)
                let count = recv(client, &part, part.count, 0)
                guard count > 0 else { return false }
                said.bytes.withLock { $0 += part.prefix(count) }
                return true
            }
            say(Self.greeting(asksLater ? "mysql_native_password" : plugin), 0)
            guard hear() else { return }
            say([0xFE] + Array(plugin.utf8) + [0] + Array("12345678901234567890".utf8) + [0], 2)
            guard hear() else { return }
            // Whatever it has said: more, such as the key that caching_sha2_password may ask for.
            say([1, 4], 4)
            _ = hear()
        }
    }

    deinit { close(listener) }

    /// Protocol 10, with all that an ordinary server can do but TLS.
    private static func greeting(_ plugin: String) -> [UInt8] {
        let capabilities: UInt32 = 0x0089_F7DF & ~0x0800
        func part(_ shift: UInt32) -> [UInt8] {
            [UInt8(capabilities >> shift & 0xFF), UInt8(capabilities >> (shift + 8) & 0xFF)]
        }
        return [10] + Array("5.5.5-10.11.6-MariaDB\0".utf8) + [1, 0, 0, 0]
            + Array("12345678\0".utf8) + part(0) + [45, 2, 0] + part(16) + [21]
            + [UInt8](repeating: 0, count: 10) + Array("123456789012\0".utf8)
            + Array(plugin.utf8) + [0]
    }
}
