import AMQP
import Configuration
import Glibc
import HTTPClient
import Logging
import MariaDB
import Memcached

/// The rule for what leaves this machine: it is encrypted, and the other end's certificate is
/// verified, or an operator has said which parts go without.
///
/// A Unix socket and an address of loopback do not leave it, and neither does `localhost`. Any other
/// name may lead anywhere. Webhooks are not asked: a receiver's URL is the receiver's choice.
struct Plaintext {
    /// What may go without TLS.
    enum Part: String, CaseIterable {
        case database
        case memcached
        case amqp
        case alimtalk
        /// The shop's own listener, which `script/server` sets up.
        case http
    }

    static let words = Part.allCases.map(\.rawValue).joined(separator: ",")

    private let allowed: Set<Part>

    /// - Throws: ``SettingError`` for a word that is no part.
    init(from environment: ConfigReader) throws(SettingError) {
        var allowed: Set<Part> = []
        for word in (environment.text(.allowPlaintext) ?? "").split(separator: ",") {
            let word = word.drop { $0 == " " }.prefix { $0 != " " }
            guard let part = Part(rawValue: String(word)) else {
                throw SettingError(.allowPlaintext, "has a word that is none of \(Self.words)")
            }
            allowed.insert(part)
        }
        self.allowed = allowed
    }

    func check(_ database: Server) throws(SettingError) {
        guard case .host(let name, _) = database.address, database.certificateAuthority == nil
        else { return }
        try check(
            .database, at: name, .databaseHost,
            remedy: "set \(Setting.databaseAuthority.rawValue)")
    }

    func check(_ memcached: Memcached.Address) throws(SettingError) {
        guard case .host(let name, _) = memcached else { return }
        try check(.memcached, at: name, .memcached, remedy: "memcached has no TLS here")
    }

    func check(_ broker: Broker) throws(SettingError) {
        if broker.usesTLS { return }
        try check(.amqp, at: broker.host, .amqpURL, remedy: "use amqps://")
    }

    func check(gateway url: String) throws(SettingError) {
        guard let authority = HTTPClient.authority(of: url), !authority.isEncrypted
        else { return }
        try check(.alimtalk, at: authority.host, .alimTalkURL, remedy: "use https://")
    }

    private func check(
        _ part: Part, at host: String, _ setting: Setting, remedy: String
    ) throws(SettingError) {
        if allowed.contains(part) || Host(host).isThisMachine { return }
        throw SettingError(
            setting,
            "leads to another machine without TLS: \(remedy), or "
                + "\(Setting.allowPlaintext.rawValue)=\(part.rawValue)")
    }

    /// Says at every start what was allowed.
    func warn(_ logger: Logger) {
        for part in Part.allCases where allowed.contains(part) && part != .http {
            logger.critical(
                """
                PLAINTEXT ALLOWED: \(part.rawValue) may be on another machine without TLS; whoever \
                is on the way can read and change what is sent
                """)
        }
    }
}

/// A host as a setting or a URL names it.
struct Host {
    /// Without the brackets of an IPv6 address.
    let name: String
    let isBracketed: Bool

    init(_ text: String) {
        isBracketed = text.hasPrefix("[") && text.hasSuffix("]")
        name = isBracketed ? String(text.dropFirst().dropLast()) : text
    }

    /// Whether it is `localhost`, or an address of loopback in its usual form: 127.0.0.0/8, ::1, or
    /// the first in IPv6's clothes. Another name, or another way to write a number, is not looked up.
    var isThisMachine: Bool {
        if name.lowercased() == "localhost" { return true }
        var four = in_addr()
        if inet_pton(AF_INET, name, &four) == 1 { return four.s_addr.bigEndian >> 24 == 127 }
        var six = in6_addr()
        guard inet_pton(AF_INET6, name, &six) == 1 else { return false }
        let bytes = withUnsafeBytes(of: six) { Array($0) }
        let isOne = bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
        let isMapped = bytes.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        return isOne || isMapped && bytes[12] == 127
    }
}
