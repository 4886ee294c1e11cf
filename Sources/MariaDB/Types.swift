public import FoundationEssentials

// SQL's types that have a Swift type of their own.

extension Value {
    /// For a column of type UUID, which takes the raw bytes.
    public static func uuid(_ id: UUID) -> Value {
        withUnsafeBytes(of: id.uuid) { .bytes(Array($0)) }
    }
}

extension Row {
    /// A column of type UUID. Throws an error of kind `other` for NULL and for anything else.
    public func uuid(_ column: Int) throws(DatabaseError) -> UUID {
        guard let id = UUID(uuidString: try text(column)) else {
            throw unexpected("not a UUID", column)
        }
        return id
    }

    /// A column of type ENUM. Throws an error of kind `other` for NULL and for a value that the
    /// type does not have.
    public func choice<Choice: RawRepresentable<String>>(
        _ column: Int, as type: Choice.Type = Choice.self
    ) throws(DatabaseError) -> Choice {
        guard let choice = Choice(rawValue: try text(column)) else {
            throw unexpected("none of the values known", column)
        }
        return choice
    }
}
