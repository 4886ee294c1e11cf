/// The cache could not do what was asked. The caller goes on without it: slower, never wrong.
public struct Unavailable: Error, Sendable, Equatable, CustomStringConvertible {
    /// Why, for logs and metrics.
    public enum Reason: Sendable, Equatable {
        /// Not reachable, too slow, or it answered what it may not.
        case failed(String)
        /// It failed a moment ago and is left alone for a while.
        case resting
        /// It is well and did not keep this value: too large, or no memory.
        case notStored(String)
        /// The key is not one that memcached takes: 1 to 250 visible ASCII characters.
        case invalidKey
    }

    /// Why.
    public let reason: Reason

    init(_ reason: Reason) { self.reason = reason }

    /// For logs.
    public var description: String {
        switch reason {
        case .failed(let message): "memcached failed: \(message)"
        case .resting: "memcached is left alone after a failure"
        case .notStored(let message): "memcached did not store the value: \(message)"
        case .invalidKey: "not a key for memcached"
        }
    }

    /// Whether memcached itself is in trouble, rather than this one request.
    var isFailure: Bool {
        switch reason {
        case .failed: true
        case .resting, .notStored, .invalidKey: false
        }
    }
}
