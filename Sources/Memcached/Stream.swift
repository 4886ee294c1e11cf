import Glibc

/// The bytes of one connection: whole requests go out, and of what comes in only as much is taken as
/// was asked for.
///
/// Every length that the peer says is checked before it is used, and an exchange ends after
/// ``exchangeMilliseconds`` even where each single wait is short.
struct Stream: ~Copyable {
    /// Bytes of a line of an answer: a key of 250 and three numbers, or an error's words.
    private static let lineBytesMax = 512
    /// Bytes that are read at a time: many small entries.
    private static let roomBytes = 16 * 1_024
    /// Milliseconds from a request to the end of its answer: ten times a single wait, in which a
    /// local memcached sends hundreds of megabytes.
    private static let exchangeMilliseconds: UInt64 = 1_000

    private let socket: Socket
    private let room = UnsafeMutableRawBufferPointer.allocate(
        byteCount: roomBytes, alignment: MemoryLayout<UInt64>.alignment)
    /// The part of the room that holds bytes nobody has taken.
    private var unread = 0..<0
    private var endsAt: UInt64 = 0

    init(_ socket: consuming Socket) { self.socket = socket }

    deinit { room.deallocate() }

    /// Sends a request. Throws when the peer has said something that nobody asked for.
    mutating func send(_ request: [UInt8]) throws(Unavailable) {
        guard unread.isEmpty, !socket.hasSomethingToRead else { throw Self.unasked }
        endsAt = monotonicNanoseconds() + Self.exchangeMilliseconds * 1_000_000
        var sent = 0
        while sent < request.count {
            try checkTime()
            sent += try socket.send(request[sent...])
        }
    }

    /// Hands over the next line, without the CR LF that ends it. The bytes are valid within `body`.
    mutating func withLine<T>(
        _ body: (UnsafeRawBufferPointer) throws(Unavailable) -> T
    ) throws(Unavailable) -> T {
        var searched = 0
        while true {
            let bytes = UnsafeRawBufferPointer(rebasing: room[unread])
            if let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let isLine = end > 0 && bytes[end - 1] == UInt8(ascii: "\r")
                guard isLine, end < Self.lineBytesMax else { throw Self.unasked }
                unread = (unread.lowerBound + end + 1)..<unread.upperBound
                return try body(UnsafeRawBufferPointer(rebasing: bytes[..<(end - 1)]))
            }
            searched = bytes.count
            guard searched < Self.lineBytesMax else { throw Self.unasked }
            try receive()
        }
    }

    /// Takes the next bytes and the CR LF that must follow them.
    ///
    /// - Parameter count: checked by the caller: so much is allocated before it has come.
    mutating func block(_ count: Int) throws(Unavailable) -> [UInt8] {
        var block: [UInt8] = []
        block.reserveCapacity(count)
        while true {
            let part = unread.prefix(count - block.count)
            block.append(contentsOf: room[part])
            unread = part.upperBound..<unread.upperBound
            if block.count == count { break }
            try receive()
        }
        while unread.count < 2 { try receive() }
        let end = room[unread.prefix(2)]
        guard end.elementsEqual("\r\n".utf8) else { throw Self.unasked }
        unread = end.endIndex..<unread.upperBound
        return block
    }

    /// Checks that nothing follows an answer.
    func expectEnd() throws(Unavailable) {
        guard unread.isEmpty else { throw Self.unasked }
    }

    /// Waits for further bytes, behind those that nobody has taken.
    private mutating func receive() throws(Unavailable) {
        try checkTime()
        if unread.lowerBound > 0 {
            // Few bytes at most: a line that has no end yet, or nothing.
            room.copyBytes(from: UnsafeRawBufferPointer(rebasing: room[unread]))
            unread = 0..<unread.count
        }
        let free = UnsafeMutableRawBufferPointer(rebasing: room[unread.upperBound...])
        unread = 0..<(unread.upperBound + (try socket.receive(into: free)))
    }

    private func checkTime() throws(Unavailable) {
        guard monotonicNanoseconds() < endsAt else {
            throw Unavailable(.failed("its answer has no end"))
        }
    }

    static let unasked = Unavailable(.failed("it said what nobody asked for"))
}

/// Nanoseconds on the clock that nobody sets.
func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
