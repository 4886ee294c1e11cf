public import Memcached

/// The shop's part of a memcached, which may be shared and may be absent.
///
/// Without memcached every look-up misses and every write is forgotten: slower, never wrong.
public struct Cache: Sendable {
    private let memcached: Memcached?
    private let prefix: String

    /// - Parameter prefix: tells shops apart that share one memcached; visible ASCII, at most 100
    ///   bytes (a key has at most 250).
    public init(_ memcached: Memcached?, prefix: String) {
        self.memcached = memcached
        self.prefix = prefix
    }

    /// Asks memcached, if there is one and it is well.
    ///
    /// - Returns: nil when memcached could not be asked.
    func ask<Answer>(
        _ question: (Memcached) throws(Unavailable) -> Answer
    ) -> Answer? {
        guard let memcached else { return nil }
        do throws(Unavailable) {
            return try question(memcached)
        } catch {
            return nil
        }
    }

    func key(_ name: String) -> String {
        prefix + name
    }

    /// Whether there is a memcached to ask, well or not.
    var isPresent: Bool { memcached != nil }

    /// Whether memcached answered when it was asked the last time; nil where the shop runs without
    /// one. Asks nobody.
    public var isWell: Bool? { memcached?.isAvailable }

    /// Whether memcached answers; nil where the shop runs without one.
    public var isAvailable: Bool? {
        guard memcached != nil else { return nil }
        return ask { memcached throws(Unavailable) in try memcached.ping() } != nil
    }
}

// MARK: - What may lie in a memcached that others write to

/// Whether bytes begin and end as all of our documents do: an array (RFC 8259).
func isDocument(_ bytes: some BidirectionalCollection<UInt8>) -> Bool {
    bytes.count > 1 && bytes.first == UInt8(ascii: "[") && bytes.last == UInt8(ascii: "]")
}

extension FixedWidthInteger {
    /// A number as it writes itself, without a sign; nil for anything else, or when it does not fit.
    init?(digits: ArraySlice<UInt8>) {
        guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        self.init(String(decoding: digits, as: UTF8.self))
    }
}
