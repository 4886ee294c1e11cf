import FoundationEssentials

/// Where a RabbitMQ is, as whom to log in, and how long to wait for it.
public struct Broker: Sendable, CustomStringConvertible {
    /// Why a URL names no broker.
    public struct InvalidURL: Error, CustomStringConvertible {
        public let description = "is not amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps://…"
    }

    /// A name or an address, without brackets.
    public let host: String
    let port: Int32
    let user: String
    let password: String
    let virtualHost: String
    /// Whether the connection is encrypted and the broker's certificate verified.
    public let usesTLS: Bool
    /// File of the certificates of the authorities that may have signed the broker's.
    public var certificateAuthorities = "/etc/ssl/certs/ca-certificates.crt"

    /// Seconds until connecting, with TLS, is given up. Looking the name up is not bounded: use an
    /// address or a name from the hosts file where that matters.
    public var connectSeconds = 3
    /// Seconds for the login, and for the answer to each request after it.
    public var answerSeconds = 5
    /// Seconds for bytes that were sent to be taken: a broker that is short of memory stops reading.
    public var sendSeconds = 10
    /// Seconds between two signs of life; a peer without one for twice as long is gone.
    public var heartbeatSeconds = 60

    /// Reads `amqp://` and `amqps://`, where everything but the host may be missing: the port is
    /// 5672 or 5671, the user and password are `guest`, the virtual host is `/`. Special characters
    /// in the parts are percent-encoded.
    public init(url: String) throws(InvalidURL) {
        // Not librabbitmq's own parser, which takes no character beyond ASCII in a password.
        guard let parts = URLComponents(string: url), let host = parts.host, !host.isEmpty,
            parts.query == nil, parts.fragment == nil
        else { throw InvalidURL() }
        switch parts.scheme {
        case "amqp": usesTLS = false
        case "amqps": usesTLS = true
        default: throw InvalidURL()
        }
        let port = parts.port ?? (usesTLS ? 5_671 : 5_672)
        guard (1...65_535).contains(port) else { throw InvalidURL() }
        self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        self.port = Int32(port)
        user = parts.user ?? "guest"
        password = parts.password ?? "guest"
        virtualHost = parts.path.isEmpty ? "/" : String(parts.path.dropFirst())
        // In C a text ends there.
        guard ![self.host, user, password, virtualHost].contains(where: { $0.contains("\0") })
        else { throw InvalidURL() }
    }

    /// Without user and password.
    public var description: String { "\(host):\(port)" }
}
