/// A value of a JSON text.
///
/// Somebody else has written the text, so it is read to its end before any of it is believed, by the
/// letter of RFC 8259, and it must mean one thing (RFC 7493): see ``JSONError``. Nothing is copied
/// before it is asked for.
public struct JSONValue: Sendable {
    private let text: JSONText
    private let node: Int
    /// Where paths begin.
    private let base: Int

    /// Reads a text.
    ///
    /// - Throws: ``JSONError`` for anything but one JSON text.
    public init(reading bytes: [UInt8]) throws(JSONError) {
        self.init(try JSONText(bytes), 0, base: 0)
    }

    private init(_ text: JSONText, _ node: Int, base: Int) {
        self.text = text
        self.node = node
        self.base = base
    }

    /// The same value, from which the paths of errors begin.
    public var asBase: JSONValue { JSONValue(text, node, base: node) }

    /// Whether it has members.
    public var isObject: Bool { kind == .object }

    /// A member of an object.
    public func member(_ name: String) throws(JSONMismatch) -> JSONValue {
        try expect(.object, or: .notObject)
        var member = node + 1
        while member < text.nodes[node].next {
            let value = member + 1
            if text.content(member).elementsEqual(name.utf8) { return child(value) }
            member = Int(text.nodes[value].next)
        }
        throw JSONMismatch(path: path.isEmpty ? name : "\(path).\(name)", reason: .missing)
    }

    /// The elements of an array.
    public func elements() throws(JSONMismatch) -> [JSONValue] {
        try expect(.array, or: .notArray)
        var elements: [JSONValue] = []
        var element = node + 1
        while element < text.nodes[node].next {
            elements.append(child(element))
            element = Int(text.nodes[element].next)
        }
        return elements
    }

    /// A string, without its quotes and escapes.
    public func string() throws(JSONMismatch) -> String {
        try expect(.string, or: .notString)
        return String(decoding: text.content(node), as: UTF8.self)
    }

    /// A whole number of any size.
    public func wholeNumber() throws(JSONMismatch) -> WholeNumber {
        try expect(.number, or: .notNumber)
        guard let number = WholeNumber(text.content(node)) else { throw mismatch(.notWhole) }
        return number
    }

    /// A whole number of 64 bits.
    public func integer() throws(JSONMismatch) -> Int64 {
        guard let number = try wholeNumber().exact else { throw mismatch(.tooLarge) }
        return number
    }

    /// An object as it is written.
    public func objectText() throws(JSONMismatch) -> [UInt8] {
        try expect(.object, or: .notObject)
        return Array(text.content(node))
    }

    private var kind: JSONText.Kind { text.nodes[node].kind }

    private var path: String { text.path(to: node, from: base) }

    private func child(_ node: Int) -> JSONValue { JSONValue(text, node, base: base) }

    private func expect(
        _ kind: JSONText.Kind, or reason: JSONMismatch.Reason
    ) throws(JSONMismatch) {
        if self.kind != kind { throw mismatch(reason) }
    }

    private func mismatch(_ reason: JSONMismatch.Reason) -> JSONMismatch {
        JSONMismatch(path: path, reason: reason)
    }
}
