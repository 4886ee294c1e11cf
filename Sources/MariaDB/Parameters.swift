import CMariaDB

/// The values of a statement's next execution, in the memory libmariadb reads them from.
///
/// Allocated once per statement: integers have fixed places, text and bytes share one arena that
/// grows when it must.
final class Parameters {
    /// Bytes an arena may keep between executions; one large value must not stay for ever in each
    /// of 256 statements of each connection.
    private static let keptBytesMax = 64 * 1024

    let count: Int
    private let binds: UnsafeMutablePointer<MYSQL_BIND>
    private let integers: UnsafeMutablePointer<Int64>
    private var arena: UnsafeMutableRawBufferPointer

    init(count: Int) {
        self.count = count
        binds = .allocate(capacity: count)
        binds.initialize(repeating: MYSQL_BIND(), count: count)
        integers = .allocate(capacity: count)
        integers.initialize(repeating: 0, count: count)
        arena = .allocate(byteCount: 0, alignment: 1)
    }

    deinit {
        binds.deallocate()
        integers.deallocate()
        arena.deallocate()
    }

    /// Copies the values in and hands them to the statement.
    func bind(_ values: [Value], to statement: UnsafeMutablePointer<MYSQL_STMT>) -> Bool {
        precondition(values.count == count, "A statement with \(count) ? got \(values.count).")
        guard count > 0 else { return true }
        reserve(values.reduce(0) { $0 + $1.byteCount })
        var used = 0
        for index in 0..<count {
            binds[index] = bind(values[index], at: index, arenaOffset: &used)
        }
        return mysql_stmt_bind_param(statement, binds) == 0
    }

    private func bind(_ value: Value, at index: Int, arenaOffset: inout Int) -> MYSQL_BIND {
        var bind = MYSQL_BIND()
        switch value {
        case .null:
            bind.buffer_type = MYSQL_TYPE_NULL
        case .integer(let integer):
            integers[index] = integer
            bind.buffer_type = MYSQL_TYPE_LONGLONG
            bind.buffer = UnsafeMutableRawPointer(integers + index)
        case .text, .bytes:
            let room = UnsafeMutableRawBufferPointer(rebasing: arena[arenaOffset...])
            let length = value.copyBytes(to: room)
            bind.buffer_type = value.isText ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB
            bind.buffer = room.baseAddress
            bind.buffer_length = UInt(length)
            arenaOffset += length
        }
        return bind
    }

    /// Makes the arena large enough, and small again after a large value.
    private func reserve(_ byteCount: Int) {
        let fits = byteCount <= arena.count && arena.count <= max(byteCount, Self.keptBytesMax)
        if fits { return }
        arena.deallocate()
        arena = .allocate(byteCount: byteCount.roundedUpToPowerOfTwo, alignment: 1)
    }
}

extension Value {
    /// The bytes that text or bytes need; numbers and NULL need none.
    var byteCount: Int {
        switch self {
        case .null, .integer: 0
        case .text(let text): text.utf8.count
        case .bytes(let bytes): bytes.count
        }
    }

    /// Whether a character set belongs to the value.
    var isText: Bool {
        switch self {
        case .text: true
        case .null, .integer, .bytes: false
        }
    }

    /// Copies text or bytes into `room`, which is large enough, and returns how many there were.
    func copyBytes(to room: UnsafeMutableRawBufferPointer) -> Int {
        switch self {
        case .null, .integer: break
        case .text(var text): text.withUTF8 { room.copyMemory(from: UnsafeRawBufferPointer($0)) }
        case .bytes(let bytes): room.copyBytes(from: bytes)
        }
        return byteCount
    }
}

extension Int {
    /// The next power of two, so that growing buffers grow seldom.
    var roundedUpToPowerOfTwo: Int {
        self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount)
    }
}
