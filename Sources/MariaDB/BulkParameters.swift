import CMariaDB

/// Many rows of values, column by column, as libmariadb's array binding reads them.
///
/// Each cell has two words: an integer column uses the first for the number; a column of text or
/// bytes uses the first for the address and the second for the length.
final class BulkParameters {
    private let rowCount: Int
    private let columnCount: Int
    private let binds: UnsafeMutablePointer<MYSQL_BIND>
    private let words: UnsafeMutablePointer<UInt>
    private let indicators: UnsafeMutablePointer<CChar>
    private let arena: UnsafeMutableRawBufferPointer
    private var arenaUsed = 0

    /// Copies the rows, which all have the same count of columns.
    init(_ rows: ArraySlice<[Value]>) {
        rowCount = rows.count
        columnCount = rows.first?.count ?? 0
        let cellCount = rowCount * columnCount
        binds = .allocate(capacity: columnCount)
        binds.initialize(repeating: MYSQL_BIND(), count: columnCount)
        words = .allocate(capacity: 2 * cellCount)
        words.initialize(repeating: 0, count: 2 * cellCount)
        indicators = .allocate(capacity: cellCount)
        indicators.initialize(repeating: CChar(STMT_INDICATOR_NULL.rawValue), count: cellCount)
        let types = (0..<columnCount).map { ColumnType(rows, column: $0) }
        let byteCount = rows.reduce(0) { $0 + Self.byteCount($1, types) }
        arena = .allocate(byteCount: byteCount, alignment: 1)
        for column in 0..<columnCount { fill(column, types[column], rows) }
    }

    deinit {
        binds.deallocate()
        words.deallocate()
        indicators.deallocate()
        arena.deallocate()
    }

    /// Hands the rows to the statement; they must outlive its execution.
    func bind(to statement: UnsafeMutablePointer<MYSQL_STMT>) -> Bool {
        mysql_stmt_bind_param(statement, binds) == 0
    }

    private func fill(_ column: Int, _ type: ColumnType, _ rows: ArraySlice<[Value]>) {
        let first = words + 2 * column * rowCount
        let lengths = first + rowCount
        let nulls = indicators + column * rowCount
        for (index, row) in rows.enumerated() where row[column] != .null {
            nulls[index] = CChar(STMT_INDICATOR_NONE.rawValue)
            switch (row[column], type) {
            case (.integer(let integer), .integer):
                first[index] = UInt(bitPattern: Int(integer))
            case (let value, _):
                let room = UnsafeMutableRawBufferPointer(rebasing: arena[arenaUsed...])
                let length = value.spelled.copyBytes(to: room)
                first[index] = UInt(bitPattern: room.baseAddress)
                lengths[index] = UInt(length)
                arenaUsed += length
            }
        }
        binds[column].buffer_type = type.cType
        binds[column].buffer = UnsafeMutableRawPointer(first)
        binds[column].length = type == .integer ? nil : lengths
        binds[column].u.indicator = nulls
    }

    /// The arena's share of a row.
    private static func byteCount(_ row: [Value], _ types: [ColumnType]) -> Int {
        zip(row, types).reduce(0) { $0 + ($1.1 == .integer ? 0 : $1.0.spelled.byteCount) }
    }
}

/// What a column's values have in common: one execution sends one type a column.
private enum ColumnType {
    case integer, text, bytes

    /// Integers among text are sent as text; text among bytes is sent as bytes.
    init(_ rows: ArraySlice<[Value]>, column: Int) {
        self = .integer
        for row in rows {
            switch row[column] {
            case .null, .integer: break
            case .text: self = .text
            case .bytes:
                self = .bytes
                return
            }
        }
    }

    var cType: enum_field_types {
        switch self {
        case .integer: MYSQL_TYPE_LONGLONG
        case .text: MYSQL_TYPE_STRING
        case .bytes: MYSQL_TYPE_BLOB
        }
    }
}

extension Value {
    /// The value as it goes into a column of text or bytes.
    fileprivate var spelled: Value {
        switch self {
        case .integer(let integer): .text(String(integer))
        case .null, .text, .bytes: self
        }
    }
}
