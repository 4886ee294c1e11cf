import CMariaDB

/// The memory that libmariadb writes one row of a statement's result into.
///
/// Allocated once per statement and reused for every row. Whole numbers arrive as 64-bit integers;
/// everything else (text, bytes, DECIMAL, DATETIME) arrives as bytes in a buffer that grows when a
/// value did not fit.
final class ResultColumns {
    /// Bytes each column starts with: names, keys, dates and statuses fit.
    private static let initialBytes = 64
    /// Bytes a column may keep between queries, so that one large blob does not stay for ever.
    private static let keptBytesMax = 64 * 1024
    /// Bytes of a value: the largest `max_allowed_packet`.
    private static let valueBytesMax: UInt = 1 << 30

    let count: Int
    private let types: [enum_field_types]
    private let binds: UnsafeMutablePointer<MYSQL_BIND>
    private let integers: UnsafeMutablePointer<Int64>
    private let lengths: UnsafeMutablePointer<UInt>
    private let nulls: UnsafeMutablePointer<my_bool>
    private let truncations: UnsafeMutablePointer<my_bool>

    init(_ fields: UnsafeBufferPointer<MYSQL_FIELD>) {
        count = fields.count
        types = fields.map(\.type)
        binds = .allocate(capacity: count)
        binds.initialize(repeating: MYSQL_BIND(), count: count)
        integers = .allocate(capacity: count)
        integers.initialize(repeating: 0, count: count)
        lengths = .allocate(capacity: count)
        lengths.initialize(repeating: 0, count: count)
        nulls = .allocate(capacity: count)
        nulls.initialize(repeating: 0, count: count)
        truncations = .allocate(capacity: count)
        truncations.initialize(repeating: 0, count: count)
        for column in 0..<count { layOut(column) }
    }

    deinit {
        for column in 0..<count where !isInteger(column) { binds[column].buffer.deallocate() }
        binds.deallocate()
        integers.deallocate()
        lengths.deallocate()
        nulls.deallocate()
        truncations.deallocate()
    }

    private func layOut(_ column: Int) {
        binds[column].length = lengths + column
        binds[column].is_null = nulls + column
        binds[column].error = truncations + column
        if isInteger(column) {
            binds[column].buffer_type = MYSQL_TYPE_LONGLONG
            binds[column].buffer = UnsafeMutableRawPointer(integers + column)
        } else {
            binds[column].buffer_type = MYSQL_TYPE_STRING
            giveBuffer(column, byteCount: Self.initialBytes)
        }
    }

    private func giveBuffer(_ column: Int, byteCount: Int) {
        binds[column].buffer?.deallocate()
        binds[column].buffer = .allocate(byteCount: byteCount, alignment: 1)
        binds[column].buffer_length = UInt(byteCount)
    }

    /// Whether the columns are still those of the last execution: the server prepares a statement
    /// again by itself when a table has changed.
    func fit(_ fields: UnsafeBufferPointer<MYSQL_FIELD>) -> Bool {
        guard fields.count == count else { return false }
        for column in 0..<count where fields[column].type != types[column] { return false }
        return true
    }

    /// Tells the statement where its rows go.
    func bind(to statement: UnsafeMutablePointer<MYSQL_STMT>) -> Bool {
        mysql_stmt_bind_result(statement, binds) == 0
    }

    /// Fetches again what did not fit, into larger buffers that later rows use as well; false where
    /// that fails, or where the server says more bytes than any value has.
    func growAndRefetch(from statement: UnsafeMutablePointer<MYSQL_STMT>) -> Bool {
        for column in 0..<count where !isInteger(column) {
            guard nulls[column] == 0, lengths[column] > binds[column].buffer_length else {
                continue
            }
            guard lengths[column] <= Self.valueBytesMax else { return false }
            giveBuffer(column, byteCount: Int(lengths[column]).roundedUpToPowerOfTwo)
            let fetched = mysql_stmt_fetch_column(statement, binds + column, UInt32(column), 0)
            guard fetched == 0 else { return false }
        }
        return bind(to: statement)
    }

    /// Gives large buffers back; true when the statement has to be told.
    func shrink() -> Bool {
        var changed = false
        for column in 0..<count where binds[column].buffer_length > UInt(Self.keptBytesMax) {
            giveBuffer(column, byteCount: Self.initialBytes)
            changed = true
        }
        return changed
    }

    func isInteger(_ column: Int) -> Bool {
        precondition(column >= 0 && column < count, "No column \(column) in \(count).")
        return switch types[column] {
        case MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT, MYSQL_TYPE_INT24, MYSQL_TYPE_LONG,
            MYSQL_TYPE_LONGLONG, MYSQL_TYPE_YEAR:
            true
        default: false
        }
    }

    func isNull(_ column: Int) -> Bool {
        precondition(column >= 0 && column < count, "No column \(column) in \(count).")
        return nulls[column] != 0
    }

    /// The number in an integer column; nil when it does not fit (an unsigned one above Int64).
    func integer(_ column: Int) -> Int64? { truncations[column] == 0 ? integers[column] : nil }

    /// The bytes in any other column, valid until the next row.
    func bytes(_ column: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: binds[column].buffer, count: Int(lengths[column]))
    }
}
