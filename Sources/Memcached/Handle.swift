import CMemcached
import Glibc

/// One libmemcached handle and its connection. Freeing it closes the connection. libmemcached sends
/// with MSG_NOSIGNAL, so a server that went away is an error and not a signal.
///
/// Unchecked: libmemcached wants one thread at a time, which is the one that took the handle from
/// the list of idle ones.
final class Handle: @unchecked Sendable {
    /// Milliseconds to wait for a connection or for the next bytes: a hundred times what a local
    /// memcached needs, and little enough that a request survives it.
    private static let timeoutMilliseconds: UInt64 = 100

    /// The generation of handles it belongs to: those before a failure are not used again.
    let generation: Int

    private let client: UnsafeMutablePointer<memcached_st>
    /// In memory of ours: a result that libmemcached allocated, it also frees after the last entry.
    private let result = UnsafeMutablePointer<memcached_result_st>.allocate(capacity: 1)

    /// Makes a handle; the connection is opened by the first request.
    init(to address: Memcached.Address, generation: Int) throws(Unavailable) {
        guard let client = memcached_create(nil) else {
            result.deallocate()  // A failed init never runs deinit.
            throw Unavailable(.failed("no memory for a handle"))
        }
        self.client = client
        memcached_result_create(client, result)
        self.generation = generation
        setUp()
        try add(address)
    }

    deinit {
        memcached_result_free(result)
        result.deallocate()
        memcached_free(client)
    }

    /// Time-outs everywhere (libmemcached's own are seconds), cas tokens, no delay for small
    /// packets, no sending to the server of keys that would break the text protocol.
    private func setUp() {
        let milliseconds = Self.timeoutMilliseconds
        memcached_behavior_set(client, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, milliseconds)
        memcached_behavior_set(client, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, milliseconds)
        memcached_behavior_set(client, MEMCACHED_BEHAVIOR_SND_TIMEOUT, milliseconds * 1_000)
        memcached_behavior_set(client, MEMCACHED_BEHAVIOR_RCV_TIMEOUT, milliseconds * 1_000)
        memcached_behavior_set(client, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1)
        memcached_behavior_set(client, MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1)
        memcached_behavior_set(client, MEMCACHED_BEHAVIOR_VERIFY_KEY, 1)
    }

    private func add(_ address: Memcached.Address) throws(Unavailable) {
        let code =
            switch address {
            case .socket(let path): memcached_server_add_unix_socket(client, path)
            case .host(let name, let port): memcached_server_add(client, name, port)
            }
        guard code == MEMCACHED_SUCCESS else { throw failure(code) }
    }

    /// Looks keys up in one round trip and hands over every entry that is there.
    func lookUp(_ keys: [Key], _ found: (Key.Text, Memcached.Entry) -> Void) throws(Unavailable) {
        let sent = Key.withPointers(keys) { pointers, lengths in
            memcached_mget(client, pointers, lengths, keys.count)
        }
        guard sent == MEMCACHED_SUCCESS else { throw failure(sent) }
        var code = MEMCACHED_SUCCESS
        while memcached_fetch_result(client, result, &code) != nil {
            guard code == MEMCACHED_SUCCESS else { throw failure(code) }
            found(Key.Text(result), Memcached.Entry(result))
        }
        // A time-out before the first entry is reported as "not found"; only the handle's last
        // error tells it from a miss. (The single line ERROR stays a miss: it sets neither.)
        let lastError = memcached_last_error(client)
        guard lastError == MEMCACHED_SUCCESS else { throw failure(lastError) }
        guard code == MEMCACHED_END || code == MEMCACHED_NOTFOUND else { throw failure(code) }
    }

    /// Stores a value where there is none; false when there is one.
    func add(_ key: Key, _ item: Item) throws(Unavailable) -> Bool {
        let code = store(key, item) {
            memcached_add(client, $0, $1, $2, $3, item.expiry, item.flags)
        }
        switch code {
        case MEMCACHED_SUCCESS: return true
        case MEMCACHED_NOTSTORED, MEMCACHED_DATA_EXISTS: return false
        default: throw failure(code)
        }
    }

    /// Stores a value whether or not there is one.
    func set(_ key: Key, _ item: Item) throws(Unavailable) {
        let code = store(key, item) {
            memcached_set(client, $0, $1, $2, $3, item.expiry, item.flags)
        }
        guard code == MEMCACHED_SUCCESS else { throw failure(code) }
    }

    /// Stores a value in place of the one with this token.
    func cas(
        _ key: Key, _ item: Item, token: UInt64
    ) throws(Unavailable) -> Memcached.CompareAndSwap {
        let code = store(key, item) {
            memcached_cas(client, $0, $1, $2, $3, item.expiry, item.flags, token)
        }
        switch code {
        case MEMCACHED_SUCCESS: return .stored
        case MEMCACHED_DATA_EXISTS: return .changed
        case MEMCACHED_NOTFOUND: return .missing
        default: throw failure(code)
        }
    }

    /// Deletes an entry; false when there was none.
    func delete(_ key: Key) throws(Unavailable) -> Bool {
        let code = key.withPointer { memcached_delete(client, $0, $1, 0) }
        switch code {
        case MEMCACHED_SUCCESS: return true
        case MEMCACHED_NOTFOUND: return false
        default: throw failure(code)
        }
    }

    private func store(
        _ key: Key, _ item: Item,
        _ send: (UnsafePointer<CChar>, Int, UnsafePointer<CChar>, Int) -> memcached_return_t
    ) -> memcached_return_t {
        key.withPointer { key, keyLength in
            item.withPointer { value, valueLength in send(key, keyLength, value, valueLength) }
        }
    }

    private func failure(_ code: memcached_return_t) -> Unavailable {
        // The last error's own message says more, if there is one.
        let text = memcached_last_error_message(client) ?? memcached_strerror(client, code)
        let message = text.map { String(cString: $0) } ?? "code \(code.rawValue)"
        switch code {
        case MEMCACHED_E2BIG, MEMCACHED_SERVER_ERROR, MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE:
            return Unavailable(.notStored(message))
        default:
            return Unavailable(.failed(message))
        }
    }
}

/// What is to be stored under a key.
struct Item {
    /// Bytes of a value: memcached's limit of 1 MiB is for key, header and value together.
    static let valueBytesMax = 1_024 * 1_024 - 1_024
    /// Seconds of an expiry: memcached takes more for a date.
    static let expirySecondsMax = 30 * 24 * 60 * 60

    let value: [UInt8]
    let flags: UInt32
    let expiry: time_t

    init(_ value: [UInt8], flags: UInt32, expirySeconds: Int) {
        precondition((0...Self.expirySecondsMax).contains(expirySeconds))
        self.value = value
        self.flags = flags
        self.expiry = expirySeconds
    }

    var fits: Bool { value.count <= Self.valueBytesMax }

    fileprivate func withPointer<T>(_ body: (UnsafePointer<CChar>, Int) -> T) -> T {
        value.withUnsafeBytes { bytes in
            // An empty array has no address, and libmemcached wants one.
            guard let first = bytes.baseAddress else { return "".withCString { body($0, 0) } }
            return body(first.assumingMemoryBound(to: CChar.self), bytes.count)
        }
    }
}

extension Memcached.Entry {
    fileprivate init(_ result: UnsafeMutablePointer<memcached_result_st>) {
        value = [UInt8](
            UnsafeRawBufferPointer(
                start: memcached_result_value(result), count: memcached_result_length(result)))
        flags = memcached_result_flags(result)
        cas = memcached_result_cas(result)
    }
}
