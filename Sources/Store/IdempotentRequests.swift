public import Commerce
import Crypto
import Memcached

/// Recognises repeated requests before they cost a transaction.
///
/// memcached makes this fast; the `idempotency_key` rows, which commit together with what they
/// stand for, make it true. So everything here may be lost at any moment.
public struct IdempotentRequests: Sendable {
    private let cache: Cache
    private let measurements = CacheMeasurements(of: "idempotency")

    init(cache: Cache) {
        self.cache = cache
    }

    /// As long as MariaDB keeps the row, at least.
    private static let answerSeconds = 72 * 3_600
    /// Longer than any request is handled; a process that died in the middle blocks its keys for
    /// this long.
    private static let inFlightSeconds = 20

    /// What is known of a key.
    public enum Use: Sendable {
        /// Nothing: the request is to be handled, and ``end(_:_:)`` called afterwards.
        case first
        case replayed(StoredAnswer)
        case inProgress
        case keyReused
    }

    /// Marks a request as being handled, unless its key is in use.
    public func begin(_ idempotency: Idempotency) -> Use {
        let key = key(idempotency.key)
        let marker = Entry(idempotency, nil).bytes
        let found = cache.ask { memcached throws(Unavailable) in
            let isFirst = try memcached.add(key, marker, expirySeconds: Self.inFlightSeconds)
            return isFirst ? nil : try memcached.get(key)
        }
        if cache.isPresent {
            measurements.lookedUp(1, found: found.map { $0 == nil ? 0 : 1 })
        }
        guard let bytes = (found ?? nil)?.value else { return .first }
        if let entry = Entry(bytes, for: idempotency.key) { return entry.use(by: idempotency) }
        _ = cache.ask { memcached throws(Unavailable) in try memcached.delete(key) }
        return .first
    }

    /// Keeps the answer of an accepted request; frees the key of any other (`answer` is nil).
    public func end(_ idempotency: Idempotency, _ answer: StoredAnswer?) {
        let key = key(idempotency.key)
        let isDone: Void? = cache.ask { memcached throws(Unavailable) in
            if let answer {
                let entry = Entry(idempotency, answer).bytes
                try memcached.set(key, entry, expirySeconds: Self.answerSeconds)
            } else {
                _ = try memcached.delete(key)
            }
        }
        if answer != nil && isDone != nil { measurements.filled() }
    }

    /// The client's text is hashed: memcached's keys are shorter and take fewer characters.
    private func key(_ key: Idempotency.Key) -> String {
        let name = "\(key.user) \(key.scope.path) \(key.text)"
        let digest = SHA256.digest(of: Array(name.utf8))
        return cache.key("key." + digest.hexadecimal)
    }

    /// `USER SCOPE FINGERPRINT STATUS\nBODY`; status 0 while the request is being handled.
    private struct Entry {
        /// In hexadecimal.
        let fingerprint: String
        let answer: StoredAnswer?
        let bytes: [UInt8]

        init(_ idempotency: Idempotency, _ answer: StoredAnswer?) {
            fingerprint = idempotency.fingerprint.hexadecimal
            self.answer = answer
            let owner = Self.owner(idempotency.key)
            let head = "\(owner) \(fingerprint) \(answer?.status ?? 0)\n"
            bytes = Array(head.utf8) + (answer?.body ?? [])
        }

        /// - Returns: nil for bytes that belong to another key, or that no request left.
        init?(_ bytes: [UInt8], for key: Idempotency.Key) {
            guard let newline = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
            let words = bytes[..<newline].split(
                separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            let body = bytes[(newline + 1)...]
            guard words.count == 4, let status = Int64(digits: words[3]),
                Array(words[0] + [UInt8(ascii: " ")] + words[1]) == Array(Self.owner(key).utf8)
            else { return nil }
            fingerprint = String(decoding: words[2], as: UTF8.self)
            self.bytes = bytes
            if status == 0 && body.isEmpty {
                answer = nil
                return
            }
            guard isDocument(body),
                let answer = StoredAnswer(stored: status, body: Array(body))
            else { return nil }
            self.answer = answer
        }

        func use(by idempotency: Idempotency) -> Use {
            guard let answer else { return .inProgress }
            let isSame = fingerprint == idempotency.fingerprint.hexadecimal
            return isSame ? .replayed(answer) : .keyReused
        }

        private static func owner(_ key: Idempotency.Key) -> String {
            "\(key.user) \(key.scope.path)"
        }
    }
}

/// SHA-256 of what makes a request the same request.
public func fingerprint(of request: [UInt8]) -> [UInt8] {
    SHA256.digest(of: request)
}

extension Sequence<UInt8> {
    fileprivate var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
