import Glibc

/// Which addresses requests may go to.
public enum AddressPolicy: Sendable {
    /// Those of the public Internet: so a URL from outside leads to no server inside.
    case publicOnly
    /// Every one: for tests, and where receivers stand in one's own network.
    case any
}

/// An address of version 4 or 6.
struct IPAddress: CustomStringConvertible {
    /// Addresses that begin alike.
    private struct Block {
        let address: [UInt8]
        let bits: Int

        init(_ text: StaticString, _ bits: Int) {
            guard let address = IPAddress("\(text)") else { preconditionFailure("\(text)") }
            self.address = address.bytes
            self.bits = bits
        }

        func contains(_ other: [UInt8]) -> Bool {
            guard other.count == address.count else { return false }
            return address.indices.allSatisfy { index in
                let bitsHere = min(max(bits - 8 * index, 0), 8)
                let mask = ~UInt8(truncatingIfNeeded: 0xFF >> bitsHere)
                return (address[index] ^ other[index]) & mask == 0
            }
        }
    }

    /// What is not one host of the public Internet, by IANA's IPv4 Special-Purpose Address Registry
    /// (RFC 6890), and multicast.
    private static let notPublic4 = [
        Block("0.0.0.0", 8), Block("10.0.0.0", 8), Block("100.64.0.0", 10), Block("127.0.0.0", 8),
        Block("169.254.0.0", 16), Block("172.16.0.0", 12), Block("192.0.0.0", 24),
        Block("192.0.2.0", 24), Block("192.88.99.0", 24), Block("192.168.0.0", 16),
        Block("198.18.0.0", 15), Block("198.51.100.0", 24), Block("203.0.113.0", 24),
        Block("224.0.0.0", 4), Block("240.0.0.0", 4),
    ]
    /// The only part of IPv6 that is given out to hosts of the Internet (RFC 4291): so neither
    /// loopback, mapped, local nor multicast.
    private static let globalUnicast6 = Block("2000::", 3)
    /// What of it is not: protocols' own (Teredo among them), documentation, and 6to4.
    private static let notPublic6 = [
        Block("2001::", 23), Block("2001:db8::", 32), Block("2002::", 16), Block("3fff::", 20),
    ]
    /// Addresses of version 4, as a network that only has version 6 reaches them (RFC 6052).
    private static let translated = Block("64:ff9b::", 96)

    /// 4 or 16, as they are sent.
    private let bytes: [UInt8]

    /// Reads the usual notation.
    init?(_ text: String) {
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            bytes = withUnsafeBytes(of: four) { Array($0) }
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            bytes = withUnsafeBytes(of: six) { Array($0) }
        } else {
            return nil
        }
    }

    /// The address that a socket is to be connected to; nil if it is of another kind.
    init?(_ address: UnsafeRawBufferPointer, family: Int32) {
        switch family {
        case AF_INET where address.count >= MemoryLayout<sockaddr_in>.size:
            let four = address.loadUnaligned(as: sockaddr_in.self).sin_addr
            bytes = withUnsafeBytes(of: four) { Array($0) }
        case AF_INET6 where address.count >= MemoryLayout<sockaddr_in6>.size:
            let six = address.loadUnaligned(as: sockaddr_in6.self).sin6_addr
            bytes = withUnsafeBytes(of: six) { Array($0) }
        default:
            return nil
        }
    }

    /// Whether it may be a host of the public Internet.
    var isPublic: Bool {
        if bytes.count == 4 { return !Self.notPublic4.contains { $0.contains(bytes) } }
        if Self.translated.contains(bytes) {
            return !Self.notPublic4.contains { $0.contains(Array(bytes.suffix(4))) }
        }
        return Self.globalUnicast6.contains(bytes)
            && !Self.notPublic6.contains { $0.contains(bytes) }
    }

    /// In the usual notation.
    var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return "?" }
        return text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }
}
