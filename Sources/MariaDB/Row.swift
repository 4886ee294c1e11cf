/// The current row of a result, readable by column index from 0.
///
/// It is a view on buffers that the next row overwrites: it can be neither copied nor kept, so a
/// decoder takes out what it needs.
public struct Row: ~Copyable {
    private let columns: ResultColumns

    init(_ columns: ResultColumns) { self.columns = columns }

    /// How many columns there are.
    public var count: Int { columns.count }

    /// Whether a column is NULL.
    public func isNull(_ column: Int) -> Bool { columns.isNull(column) }

    /// A whole number: of an integer column, or of a DECIMAL or text that spells one.
    ///
    /// Throws an error of kind `other` for NULL, for anything that is not whole, and for a number
    /// beyond 64 bits.
    public func integer(_ column: Int) throws(DatabaseError) -> Int64 {
        guard let integer = try optionalInteger(column) else { throw unexpected("NULL", column) }
        return integer
    }

    /// A whole number, or nil for NULL.
    public func optionalInteger(_ column: Int) throws(DatabaseError) -> Int64? {
        if columns.isNull(column) { return nil }
        if columns.isInteger(column) {
            guard let integer = columns.integer(column) else {
                throw unexpected("beyond 64 bits", column)
            }
            return integer
        }
        guard let integer = Int64(wholeDecimal: columns.bytes(column)) else {
            throw unexpected("not a whole number", column)
        }
        return integer
    }

    /// A whole number of a range that the caller's arithmetic relies on, whatever the server says.
    ///
    /// Throws an error of kind `other` for any number beyond it too.
    public func integer(
        _ column: Int, in range: ClosedRange<Int64>
    ) throws(DatabaseError) -> Int64 {
        let integer = try integer(column)
        guard range.contains(integer) else { throw unexpected("out of range", column) }
        return integer
    }

    /// Text; a number, a DECIMAL and a DATETIME in SQL's spelling. Throws an error of kind `other`
    /// for NULL and for bytes that are not UTF-8.
    public func text(_ column: Int) throws(DatabaseError) -> String {
        guard let text = try optionalText(column) else { throw unexpected("NULL", column) }
        return text
    }

    /// Text, or nil for NULL.
    public func optionalText(_ column: Int) throws(DatabaseError) -> String? {
        if columns.isNull(column) { return nil }
        if columns.isInteger(column) { return String(try integer(column)) }
        guard let text = String(validating: columns.bytes(column), as: UTF8.self) else {
            throw unexpected("not UTF-8", column)
        }
        return text
    }

    /// The bytes of a BINARY, VARBINARY, BLOB or text column. Throws an error of kind `other` for
    /// NULL and for an integer column.
    public func bytes(_ column: Int) throws(DatabaseError) -> [UInt8] {
        guard let bytes = try optionalBytes(column) else { throw unexpected("NULL", column) }
        return bytes
    }

    /// The bytes, or nil for NULL.
    public func optionalBytes(_ column: Int) throws(DatabaseError) -> [UInt8]? {
        if columns.isNull(column) { return nil }
        if columns.isInteger(column) { throw unexpected("an integer, not bytes", column) }
        return [UInt8](columns.bytes(column))
    }

    /// What to throw for a column whose value the schema does not allow.
    public func unexpected(_ what: String, _ column: Int) -> DatabaseError {
        DatabaseError(.other, "Column \(column) is \(what).")
    }
}

extension Int64 {
    /// Reads `-12` and `12.00`; nil for `12.50` and for everything that is not a number.
    init?(wholeDecimal bytes: UnsafeRawBufferPointer) {
        let point = bytes.firstIndex(of: UInt8(ascii: ".")) ?? bytes.endIndex
        guard bytes[point...].dropFirst().allSatisfy({ $0 == UInt8(ascii: "0") }) else {
            return nil
        }
        self.init(String(decoding: bytes[..<point], as: UTF8.self))
    }
}
