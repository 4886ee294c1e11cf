/// Why bytes are not a JSON text that this reader takes.
public struct JSONError: Error, Equatable, CustomStringConvertible {
    public enum Reason: Equatable, Sendable {
        /// A byte that the grammar has no place for.
        case unexpected
        case endsEarly
        /// Not UTF-8, half of a surrogate pair, or a noncharacter (RFC 7493, 2.1).
        case notUnicode
        /// An object has two members of one name (RFC 7493, 2.3). Nil for a name that is no plain
        /// word: it may be anything, a person's name too.
        case repeatedMember(String?)
        case tooDeep
        case tooLong
    }

    public let reason: Reason
    /// Where, in bytes from the beginning.
    public let offset: Int

    /// Without a subject's capital letter and without a full stop.
    public var description: String {
        switch reason {
        case .unexpected: "byte \(offset) is not JSON"
        case .endsEarly: "it ends too early"
        case .notUnicode: "byte \(offset) is not Unicode text"
        case .repeatedMember(let name?): "the member \"\(name)\" is there twice"
        case .repeatedMember(nil): "a member is there twice, again before byte \(offset)"
        case .tooDeep: "byte \(offset) is nested deeper than \(JSONParser.depthMax) levels"
        case .tooLong: "it is longer than \(JSONParser.bytesMax) bytes"
        }
    }
}

/// Why a value is not the one that is needed. It names the value and does not show it.
public struct JSONMismatch: Error, Equatable, CustomStringConvertible {
    public enum Reason: String, Sendable {
        case missing = "is missing"
        case notObject = "is not an object"
        case notArray = "is not an array"
        case notString = "is not a string"
        case notNumber = "is not a number"
        /// A number with a fraction.
        case notWhole = "is not a whole number"
        /// A whole number that does not fit 64 bits.
        case tooLarge = "is too large"
    }

    /// As `products[1].quantity`; empty for the value that reading began with.
    public let path: String
    public let reason: Reason

    /// Without a full stop.
    public var description: String { (path.isEmpty ? "it" : path) + " " + reason.rawValue }
}
