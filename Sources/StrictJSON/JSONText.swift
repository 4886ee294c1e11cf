/// A JSON text that has been read to its end: its bytes, and where each value stands in them.
final class JSONText: Sendable {
    enum Kind: UInt8 {
        case null, boolean, number, string, array, object
    }

    /// A value, or the name of a member. An array's node is followed by those of its elements, an
    /// object's by name, value, name, value; each with all that is in it.
    struct Node {
        let kind: Kind
        /// Whether its content is in ``JSONText/unescaped``.
        let isEscaped: Bool
        /// Of its content; that of a string is between the quotes.
        let start: Int32
        var end: Int32
        /// The node that follows all that is in it.
        var next: Int32
    }

    private let bytes: [UInt8]
    /// The strings that were written with escapes, as they are meant.
    private let unescaped: [UInt8]
    /// The first is the whole text's value.
    let nodes: [Node]

    init(_ bytes: [UInt8]) throws(JSONError) {
        var parser = try JSONParser(bytes)
        try parser.parse()
        self.bytes = bytes
        unescaped = parser.unescaped
        nodes = parser.nodes
    }

    func content(_ node: Int) -> ArraySlice<UInt8> {
        let found = nodes[node]
        return (found.isEscaped ? unescaped : bytes)[Int(found.start)..<Int(found.end)]
    }

    /// How a value is reached from one that holds it: `products[1].quantity`.
    func path(to target: Int, from base: Int) -> String {
        var path = ""
        var node = base
        while node < target {
            let isObject = nodes[node].kind == .object
            var value = node + (isObject ? 2 : 1)
            var position = 0
            while nodes[value].next <= target {
                value = Int(nodes[value].next) + (isObject ? 1 : 0)
                position += 1
            }
            if isObject {
                path += path.isEmpty ? "" : "."
                path += String(decoding: content(value - 1), as: UTF8.self)
            } else {
                path += "[\(position)]"
            }
            node = value
        }
        return path
    }
}
