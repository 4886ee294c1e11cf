/// Reads a JSON text by the grammar of RFC 8259, and by what RFC 7493 (I-JSON) demands beyond it:
/// no name twice in an object, and Unicode without halves of pairs and without noncharacters.
struct JSONParser {
    private(set) var nodes: [JSONText.Node] = []
    private(set) var unescaped: [UInt8] = []
    private let bytes: [UInt8]
    private var position = 0

    /// Arrays and objects in one another. A number of ours: no document that is read here needs more
    /// than four levels, and the parser goes down a level by a call of itself.
    static let depthMax = 32
    /// A number of ours, so that a position fits 32 bits.
    static let bytesMax = 1 << 24
    /// Up to so many names are compared one by one, which is faster than to hash them.
    private static let comparedMax = 16
    /// Of a name that an error shows.
    private static let shownNameMax = 40

    init(_ bytes: [UInt8]) throws(JSONError) {
        guard bytes.count <= Self.bytesMax else {
            throw JSONError(reason: .tooLong, offset: Self.bytesMax)
        }
        self.bytes = bytes
    }

    mutating func parse() throws(JSONError) {
        nodes.reserveCapacity(bytes.count / 8 + 1)
        skipBlanks()
        try value(depth: 0)
        skipBlanks()
        guard position == bytes.count else { throw unexpected }
    }

    // MARK: - Values

    private mutating func value(depth: Int) throws(JSONError) {
        switch next {
        case UInt8(ascii: "{"): try object(depth + 1)
        case UInt8(ascii: "["): try array(depth + 1)
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
        case UInt8(ascii: "t"): try word("true", .boolean)
        case UInt8(ascii: "f"): try word("false", .boolean)
        case UInt8(ascii: "n"): try word("null", .null)
        default: throw unexpected
        }
    }

    private mutating func object(_ depth: Int) throws(JSONError) {
        let node = try open(.object, depth)
        var count = 0
        skipBlanks()
        if next != UInt8(ascii: "}") {
            repeat {
                count += 1
                skipBlanks()
                guard next == UInt8(ascii: "\"") else { throw unexpected }
                try string()
                skipBlanks()
                guard takes(":") else { throw unexpected }
                skipBlanks()
                try value(depth: depth)
                skipBlanks()
            } while takes(",")
        }
        guard takes("}") else { throw unexpected }
        close(node)
        try checkNames(of: node, count: count)
    }

    private mutating func array(_ depth: Int) throws(JSONError) {
        let node = try open(.array, depth)
        skipBlanks()
        if next != UInt8(ascii: "]") {
            repeat {
                skipBlanks()
                try value(depth: depth)
                skipBlanks()
            } while takes(",")
        }
        guard takes("]") else { throw unexpected }
        close(node)
    }

    private mutating func word(
        _ word: StaticString, _ kind: JSONText.Kind
    ) throws(JSONError) {
        let start = position
        for offset in 0..<word.utf8CodeUnitCount {
            guard next == word.utf8Start[offset] else { throw unexpected }
            position += 1
        }
        append(kind, from: start)
    }

    private mutating func number() throws(JSONError) {
        let start = position
        _ = takes("-")
        if !takes("0") { try digits() }
        if takes(".") { try digits() }
        if takes("e") || takes("E") {
            if !takes("+") { _ = takes("-") }
            try digits()
        }
        append(.number, from: start)
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(next) { position += 1 }
        guard position > start else { throw unexpected }
    }

    // MARK: - Strings

    private mutating func string() throws(JSONError) {
        position += 1
        let mark = unescaped.count
        var start = position
        var isEscaped = false
        while true {
            switch next {
            case UInt8(ascii: "\""):
                if isEscaped {
                    unescaped.append(contentsOf: bytes[start..<position])
                    append(.string, from: mark, to: unescaped.count, isEscaped: true)
                } else {
                    append(.string, from: start)
                }
                position += 1
                return
            case UInt8(ascii: "\\"):
                isEscaped = true
                unescaped.append(contentsOf: bytes[start..<position])
                try escape()
                start = position
            case 0x20..<0x80: position += 1
            case 0x80...: try character()
            default: throw unexpected
            }
        }
    }

    private mutating func escape() throws(JSONError) {
        position += 1
        let byte = next
        let meant: UInt8
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): meant = byte
        case UInt8(ascii: "b"): meant = 0x08
        case UInt8(ascii: "f"): meant = 0x0C
        case UInt8(ascii: "n"): meant = 0x0A
        case UInt8(ascii: "r"): meant = 0x0D
        case UInt8(ascii: "t"): meant = 0x09
        case UInt8(ascii: "u"): return try escapedCharacter()
        default: throw unexpected
        }
        position += 1
        unescaped.append(meant)
    }

    /// `\uXXXX`, or two of them where they are a surrogate pair.
    private mutating func escapedCharacter() throws(JSONError) {
        let start = position
        var code = try codeUnit()
        if 0xD800..<0xDC00 ~= code, takes("\\") {
            guard next == UInt8(ascii: "u") else { throw error(.notUnicode, start) }
            let low = try codeUnit()
            guard 0xDC00..<0xE000 ~= low else { throw error(.notUnicode, start) }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let character = Unicode.Scalar(code), !character.isNoncharacter else {
            throw error(.notUnicode, start)
        }
        unescaped.append(contentsOf: String(character).utf8)
    }

    private mutating func codeUnit() throws(JSONError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            position += 1
            guard let digit = Character(Unicode.Scalar(next)).hexDigitValue else {
                throw unexpected
            }
            code = code << 4 | UInt32(digit)
        }
        position += 1
        return code
    }

    /// One character of two to four bytes (RFC 3629).
    private mutating func character() throws(JSONError) {
        let start = position
        let first = UInt32(next)
        let (count, least): (Int, UInt32) =
            switch first {
            case 0xC0..<0xE0: (1, 0x80)
            case 0xE0..<0xF0: (2, 0x800)
            case 0xF0..<0xF8: (3, 0x10000)
            default: throw error(.notUnicode, start)
            }
        var code = first & (0x3F >> UInt32(count))
        for _ in 0..<count {
            position += 1
            guard next & 0xC0 == 0x80 else { throw error(.notUnicode, start) }
            code = code << 6 | UInt32(next & 0x3F)
        }
        position += 1
        guard code >= least, let character = Unicode.Scalar(code), !character.isNoncharacter
        else { throw error(.notUnicode, start) }
    }

    // MARK: - Names

    /// To be called as soon as the object is closed: its members reach to the last node.
    private func checkNames(of object: Int, count: Int) throws(JSONError) {
        var seen: Set<ArraySlice<UInt8>> = []
        var name = object + 1
        while name < nodes.count {
            let isNew =
                count > Self.comparedMax
                ? seen.insert(content(name)).inserted : isNew(name, in: object)
            guard isNew else { throw repetition(of: name) }
            name = Int(nodes[name + 1].next)
        }
    }

    /// Whether no name before it is the same.
    private func isNew(_ name: Int, in object: Int) -> Bool {
        var earlier = object + 1
        while earlier < name {
            if isSame(earlier, name) { return false }
            earlier = Int(nodes[earlier + 1].next)
        }
        return true
    }

    /// Byte by byte: as `String`s, names would be equal that only look alike.
    private func isSame(_ one: Int, _ other: Int) -> Bool {
        let lengths = (nodes[one].end - nodes[one].start, nodes[other].end - nodes[other].start)
        return lengths.0 == lengths.1 && content(one).elementsEqual(content(other))
    }

    private func content(_ node: Int) -> ArraySlice<UInt8> {
        let found = nodes[node]
        return (found.isEscaped ? unescaped : bytes)[Int(found.start)..<Int(found.end)]
    }

    private func repetition(of name: Int) -> JSONError {
        let content = content(name)
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        let isWord =
            content.count <= Self.shownNameMax
            && content.allSatisfy { letters.contains($0 | 0x20) || $0 == UInt8(ascii: "_") }
        let shown = isWord ? String(decoding: content, as: UTF8.self) : nil
        return error(.repeatedMember(shown), position)
    }

    // MARK: - Nodes

    private mutating func append(_ kind: JSONText.Kind, from start: Int) {
        append(kind, from: start, to: position, isEscaped: false)
    }

    private mutating func append(
        _ kind: JSONText.Kind, from start: Int, to end: Int, isEscaped: Bool
    ) {
        let next = nodes.count + 1
        nodes.append(
            JSONText.Node(
                kind: kind, isEscaped: isEscaped, start: Int32(start), end: Int32(end),
                next: Int32(next)))
    }

    /// - Returns: the node of an array or an object, to be closed after its last bracket.
    private mutating func open(_ kind: JSONText.Kind, _ depth: Int) throws(JSONError) -> Int {
        guard depth <= Self.depthMax else { throw error(.tooDeep, position) }
        append(kind, from: position)
        position += 1
        return nodes.count - 1
    }

    private mutating func close(_ node: Int) {
        nodes[node].end = Int32(position)
        nodes[node].next = Int32(nodes.count)
    }

    // MARK: - Bytes

    /// Zero at the end: JSON has no such byte.
    private var next: UInt8 { position < bytes.count ? bytes[position] : 0 }

    private mutating func takes(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skipBlanks() {
        while true {
            switch next {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private var unexpected: JSONError {
        error(position < bytes.count ? .unexpected : .endsEarly, position)
    }

    private func error(_ reason: JSONError.Reason, _ offset: Int) -> JSONError {
        JSONError(reason: reason, offset: offset)
    }
}

extension Unicode.Scalar {
    /// What Unicode will never make a character of: U+FDD0 to U+FDEF, and the last two of each plane.
    fileprivate var isNoncharacter: Bool {
        (0xFDD0...0xFDEF).contains(value) || value & 0xFFFE == 0xFFFE
    }
}
