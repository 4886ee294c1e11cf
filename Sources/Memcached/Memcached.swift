/// A memcached server, used by any number of threads at once.
///
/// No call takes long: every wait inside is bounded by 100 ms and each round trip by a second, and
/// after a failure memcached is left alone for two seconds, in which each call throws
/// ``Unavailable`` at once; then one caller tries for all. A connection that failed is never used
/// again, so a late answer cannot reach the next caller.
///
/// Whatever sits at memcached's port: a call ends with a value or with ``Unavailable``.
public final class Memcached: Sendable {
    /// How memcached is reached.
    public enum Address: Sendable, Equatable {
        /// A Unix socket on this machine.
        case socket(path: String)
        /// A TCP port. Looking the name up is not bounded in time: use an address or a name from
        /// the hosts file.
        case host(name: String, port: UInt16)
    }

    /// What memcached holds under a key.
    public struct Entry: Sendable, Equatable {
        /// The value as it was stored.
        public let value: [UInt8]
        /// The number stored with it.
        public let flags: UInt32
        /// The token of this very value, for ``Memcached/cas(_:_:flags:expirySeconds:token:)``;
        /// nil from ``Memcached/get(_:)``, and where memcached keeps no tokens (its option `-C`).
        public internal(set) var cas: UInt64?
    }

    /// What became of a compare-and-swap.
    public enum CompareAndSwap: Sendable, Equatable {
        /// The value is stored.
        case stored
        /// Another value has been stored since the token was read.
        case changed
        /// There is no value any more.
        case missing
    }

    /// Keys of one round trip; more are looked up in several.
    private static let keysMax = 512

    private let connections: IdleConnections
    private let rest = RestPeriod()

    /// Describes a server; nothing is opened yet. `idleConnectionsMax` is best the number of
    /// threads that use it: those above it connect anew each time.
    public init(address: Address, idleConnectionsMax: Int = 128) {
        connections = IdleConnections(to: address, countMax: idleConnectionsMax)
    }

    /// Whether memcached has not failed since it last answered. Asks nobody: after a failure it
    /// stays false until somebody's call, or ``ping()``, succeeds.
    public var isAvailable: Bool { !rest.isResting }

    /// Asks memcached for anything at all. Throws when it does not answer.
    public func ping() throws(Unavailable) { _ = try get("ping") }

    /// The entry under a key, or nil, without its token.
    public func get(_ key: String) throws(Unavailable) -> Entry? {
        var entry = try gets(key)
        entry?.cas = nil
        return entry
    }

    /// The entry under a key, or nil, with its token.
    public func gets(_ key: String) throws(Unavailable) -> Entry? {
        let key = try Key(key)
        return try perform { connection throws(Unavailable) in
            var entry: Entry?
            try connection.lookUp([key]) { _, found in entry = found }
            return entry
        }
    }

    /// The entries that are there among these keys, with their tokens, in one round trip.
    public func gets(_ keys: [String]) throws(Unavailable) -> [String: Entry] {
        var entries: [String: Entry] = [:]
        var remaining = keys[...]
        while !remaining.isEmpty {
            let names = remaining.prefix(Self.keysMax)
            var batch: [Key] = []
            for name in names { batch.append(try Key(name)) }
            try perform { connection throws(Unavailable) in
                try connection.lookUp(batch) { place, entry in
                    entries[names[names.startIndex + place]] = entry
                }
            }
            remaining = remaining.dropFirst(Self.keysMax)
        }
        return entries
    }

    /// Stores a value where there is none, for `expirySeconds` (at most 30 days; 0: until evicted).
    /// False: there is one already. A value above about 1 MiB is thrown as `notStored`.
    public func add(
        _ key: String, _ value: [UInt8], flags: UInt32 = 0, expirySeconds: Int
    ) throws(Unavailable) -> Bool {
        let item = Item(value, flags: flags, expirySeconds: expirySeconds)
        let key = try Key(key)
        guard item.fits else { throw Self.tooLarge }
        return try perform { connection throws(Unavailable) in try connection.add(key, item) }
    }

    /// Stores a value whether or not there is one.
    ///
    /// A value above about 1 MiB is thrown as `notStored`, after deleting the entry: what was
    /// there is out of date.
    public func set(
        _ key: String, _ value: [UInt8], flags: UInt32 = 0, expirySeconds: Int
    ) throws(Unavailable) {
        let item = Item(value, flags: flags, expirySeconds: expirySeconds)
        let validKey = try Key(key)
        guard item.fits else { throw try refuseAfterDeleting(key) }
        try perform { connection throws(Unavailable) in try connection.set(validKey, item) }
    }

    /// Stores a value in place of the one that `token` was read with.
    ///
    /// A value above about 1 MiB is thrown as `notStored`, after deleting the entry: what was
    /// there is out of date.
    public func cas(
        _ key: String, _ value: [UInt8], flags: UInt32 = 0, expirySeconds: Int, token: UInt64
    ) throws(Unavailable) -> CompareAndSwap {
        let item = Item(value, flags: flags, expirySeconds: expirySeconds)
        let validKey = try Key(key)
        guard item.fits else { throw try refuseAfterDeleting(key) }
        return try perform { connection throws(Unavailable) in
            try connection.cas(validKey, item, token: token)
        }
    }

    /// Deletes an entry. False: there was none.
    @discardableResult
    public func delete(_ key: String) throws(Unavailable) -> Bool {
        let key = try Key(key)
        return try perform { connection throws(Unavailable) in try connection.delete(key) }
    }

    /// Deletes the entry that `token` was read with, and no later one. False: it was gone.
    @discardableResult
    public func delete(_ key: String, token: UInt64) throws(Unavailable) -> Bool {
        let key = try Key(key)
        return try perform { connection throws(Unavailable) in
            try connection.cas(key, .expired, token: token) == .stored
        }
    }

    private static var tooLarge: Unavailable {
        Unavailable(.notStored("above \(Item.valueBytesMax) bytes"))
    }

    private func refuseAfterDeleting(_ key: String) throws(Unavailable) -> Unavailable {
        try delete(key)
        return Self.tooLarge
    }

    /// Runs `body` with a connection of its own, unless memcached is resting, and draws the
    /// consequences of its failure.
    private func perform<T>(
        _ body: (Connection) throws(Unavailable) -> T
    ) throws(Unavailable) -> T {
        guard let ticket = rest.admit(now: monotonicNanoseconds()) else {
            throw Unavailable(.resting)
        }
        do throws(Unavailable) {
            let connection = try connections.take()
            let value = try body(connection)
            connections.giveBack(connection)
            rest.succeeded(ticket)
            return value
        } catch {
            if error.isFailure {
                rest.failed(now: monotonicNanoseconds())
                connections.discard()
            } else {
                rest.succeeded(ticket)
            }
            throw error
        }
    }
}
