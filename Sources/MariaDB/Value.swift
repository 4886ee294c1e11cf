/// A value for one `?` of a statement.
public enum Value: Sendable, Equatable {
    /// SQL NULL.
    case null
    /// A whole number: BIGINT and everything that fits into it.
    case integer(Int64)
    /// Text in UTF-8; also a DECIMAL or a DATETIME in SQL's spelling.
    case text(String)
    /// Bytes without a character set: BINARY, VARBINARY and BLOB columns.
    case bytes([UInt8])
}
