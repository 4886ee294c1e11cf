/// One connection to memcached, which speaks its text protocol (doc/protocol.txt of memcached).
///
/// An answer is taken only in the form that the request allows; after any other the connection is
/// not used again. libmemcached is not asked to read answers: it asserts on some of them and writes
/// beyond its memory on others, by which whoever sits at memcached's port would end the shop.
///
/// Unchecked: one thread at a time uses it, which is the one that took it from the list of idle ones.
final class Connection: @unchecked Sendable {
    /// The generation of connections it belongs to: those before a failure are not used again.
    let generation: Int

    private var stream: Stream

    /// Uses a connected socket.
    init(on socket: consuming Socket, generation: Int) {
        stream = Stream(socket)
        self.generation = generation
    }

    /// Looks keys up in one round trip and hands over every entry that is there, with its key's place
    /// among `keys`.
    func lookUp(_ keys: [Key], _ found: (Int, Memcached.Entry) -> Void) throws(Unavailable) {
        var request = Array("gets".utf8)
        for key in keys { request += [Self.blank] + key.bytes }
        try stream.send(request + Self.lineEnd)
        var place = 0  // memcached answers in the order of the keys.
        while let head = try stream.withLine(EntryHead.init(line:)) {
            while place < keys.count, !keys[place].bytes.elementsEqual(head.key) { place += 1 }
            guard place < keys.count else { throw Stream.unasked }
            let value = try stream.block(head.valueBytes)
            found(place, Memcached.Entry(value: value, flags: head.flags, cas: head.token))
            place += 1
        }
        try stream.expectEnd()
    }

    /// Stores a value where there is none; false when there is one.
    func add(_ key: Key, _ item: Item) throws(Unavailable) -> Bool {
        let answer = try store("add", key, item)
        switch answer {
        case .stored: return true
        case .notStored: return false
        default: throw answer.failure
        }
    }

    /// Stores a value whether or not there is one.
    func set(_ key: Key, _ item: Item) throws(Unavailable) {
        let answer = try store("set", key, item)
        guard answer == .stored else { throw answer.failure }
    }

    /// Stores a value in place of the one with this token.
    func cas(
        _ key: Key, _ item: Item, token: UInt64
    ) throws(Unavailable) -> Memcached.CompareAndSwap {
        let answer = try store("cas", key, item, token: token)
        switch answer {
        case .stored: return .stored
        case .exists: return .changed
        case .notFound: return .missing
        default: throw answer.failure
        }
    }

    /// Deletes an entry; false when there was none.
    func delete(_ key: Key) throws(Unavailable) -> Bool {
        let answer = try ask(Array("delete ".utf8) + key.bytes + Self.lineEnd)
        switch answer {
        case .deleted: return true
        case .notFound: return false
        default: throw answer.failure
        }
    }

    private static let blank = UInt8(ascii: " ")
    private static let lineEnd = Array("\r\n".utf8)

    private func store(
        _ verb: String, _ key: Key, _ item: Item, token: UInt64? = nil
    ) throws(Unavailable) -> Answer {
        let numbers = " \(item.flags) \(item.expiry) \(item.value.count)"
        let end = token.map { " \($0)\r\n" } ?? "\r\n"
        var request: [UInt8] = []
        request.reserveCapacity(item.value.count + 384)
        request += verb.utf8
        request.append(Self.blank)
        request += key.bytes
        request += numbers.utf8
        request += end.utf8
        request += item.value
        request += Self.lineEnd
        return try ask(request)
    }

    private func ask(_ request: [UInt8]) throws(Unavailable) -> Answer {
        try stream.send(request)
        let answer = try stream.withLine { line throws(Unavailable) in Answer(line: line) }
        try stream.expectEnd()
        return answer
    }
}
