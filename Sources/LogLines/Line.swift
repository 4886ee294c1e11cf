import Logging

/// One message, on its way to bytes that are always one line.
struct Line {
    let time: String
    let level: Logger.Level
    let message: String
    let fields: Logger.Metadata

    /// Of a line, its end included: what a pipe takes whole (`PIPE_BUF`), so that the lines of several
    /// processes do not mix.
    static let bytesMax = 4_096
    /// Of one value as it is written; an error that quotes a page must not push out the rest.
    private static let valueBytesMax = 1_024
    /// Kept free for what ends a line.
    private static let endBytesMax = 32
    /// Members that every line has.
    private static let reserved: Set<String> = ["time", "level", "message"]

    func bytes(as format: LineLogHandler.Format) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(512)
        var isWhole = true
        for piece in pieces(format) {
            isWhole = isWhole && line.count + piece.count <= Self.bytesMax - Self.endBytesMax
            if isWhole { line += piece }
        }
        switch format {
        case .json: line += Array((isWhole ? "}\n" : ",\"truncated\":true}\n").utf8)
        case .text: line += Array((isWhole ? "\n" : " …\n").utf8)
        }
        return line
    }

    /// The head and each field, in the order in which they are given up last.
    private func pieces(_ format: LineLogHandler.Format) -> [[UInt8]] {
        let fields = fields.sorted { $0.key < $1.key }
        switch format {
        case .json:
            let head =
                Array("{\"time\":\"\(time)\",\"level\":\"\(level)\",\"message\":".utf8)
                + Self.quoted(message)
            return [head]
                + fields.map { key, value in
                    let name = Self.reserved.contains(key) ? key + "_" : key
                    return [UInt8(ascii: ",")] + Self.quoted(name) + [UInt8(ascii: ":")]
                        + Self.json(value)
                }
        case .text:
            let head = "\(time) \(level) "
            return [Array(head.utf8) + Self.escaped(message)]
                + fields.map { key, value in
                    [UInt8(ascii: " ")] + Self.escaped(key) + [UInt8(ascii: "=")]
                        + Self.text(value)
                }
        }
    }

    private static func json(_ value: Logger.MetadataValue) -> [UInt8] {
        guard case .stringConvertible(let value) = value else { return quoted("\(value)") }
        switch value {
        case let number as any BinaryInteger: return Array("\(number)".utf8)
        case let number as Double where number.isFinite: return Array("\(number)".utf8)
        case let isTrue as Bool: return Array("\(isTrue)".utf8)
        default: return quoted("\(value)")
        }
    }

    /// Bare where it is one word.
    private static func text(_ value: Logger.MetadataValue) -> [UInt8] {
        let text = "\(value)"
        let isWord = text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") }
        return isWord && !text.isEmpty ? escaped(text) : quoted(text)
    }

    private static func quoted(_ text: String) -> [UInt8] {
        [UInt8(ascii: "\"")] + escaped(text) + [UInt8(ascii: "\"")]
    }

    /// The inside of a JSON string, cut between two characters where it is too long.
    private static func escaped(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": bytes += [0x5C, 0x22]
            case "\\": bytes += [0x5C, 0x5C]
            case "\n": bytes += [0x5C, UInt8(ascii: "n")]
            case _ where scalar.isHidden:
                for unit in UTF16.encode(scalar)! {
                    let digits = String(0x1_0000 + Int(unit), radix: 16).dropFirst()
                    bytes += Array("\\u\(digits)".utf8)
                }
            default: bytes += Array(UTF8.encode(scalar)!)
            }
            if bytes.count > valueBytesMax { return bytes + Array("…".utf8) }
        }
        return bytes
    }
}

extension Unicode.Scalar {
    /// Whether it has no picture of its own: control characters of both sets, formats such as those
    /// of bidirectional text, separators of lines and paragraphs, and what means nothing yet. On a
    /// terminal such may move the cursor, or turn round what is read.
    public var isHidden: Bool {
        // Nearly all there is.
        if (0x20...0x7E).contains(value) { return false }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate,
            .unassigned:
            true
        default: false
        }
    }
}
