import HTTPTypes

/// A JSON document whose members keep the order they are written in.
///
/// Foundation's encoder sorts members or shuffles them; the customer's documents have an order, and
/// a replayed answer has to be the same bytes.
enum JSON: Sendable {
    case string(String)
    case number(Int64)
    case boolean(Bool)
    case null
    case array([JSON])
    case object([(name: String, value: JSON)])

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256)
        write(to: &bytes)
        return bytes
    }

    private func write(to bytes: inout [UInt8]) {
        switch self {
        case .string(let text):
            Self.write(text, to: &bytes)
        case .number(let number):
            bytes.append(contentsOf: String(number).utf8)
        case .boolean(let isTrue):
            bytes.append(contentsOf: String(isTrue).utf8)
        case .null:
            bytes.append(contentsOf: "null".utf8)
        case .array(let elements):
            Self.write(elements, between: "[]", to: &bytes) { $0.write(to: &$1) }
        case .object(let members):
            Self.write(members, between: "{}", to: &bytes) { member, bytes in
                Self.write(member.name, to: &bytes)
                bytes.append(contentsOf: ": ".utf8)
                member.value.write(to: &bytes)
            }
        }
    }

    private static func write<Element>(
        _ elements: [Element], between brackets: StaticString, to bytes: inout [UInt8],
        _ writeElement: (Element, inout [UInt8]) -> Void
    ) {
        bytes.append(brackets.utf8Start[0])
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(contentsOf: ", ".utf8) }
            writeElement(element, &bytes)
        }
        bytes.append(brackets.utf8Start[1])
    }

    /// Escapes what RFC 8259, section 7, says must be escaped, and nothing else.
    private static func write(_ text: String, to bytes: inout [UInt8]) {
        let quote = UInt8(ascii: "\"")
        bytes.append(quote)
        for byte in text.utf8 {
            switch byte {
            case quote, UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                let zeros = String(repeating: "0", count: 4 - digits.utf8.count)
                bytes.append(contentsOf: "\\u\(zeros)\(digits)".utf8)
            default:
                bytes.append(byte)
            }
        }
        bytes.append(quote)
    }
}
