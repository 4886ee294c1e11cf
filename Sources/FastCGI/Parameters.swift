import CFastCGI
import HTTPTypes

/// The CGI variables of one request: `NAME=value`, ended by a null pointer.
///
/// Valid until the exchange is finished; all that is needed is copied out before.
struct Parameters {
    private let list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

    init(_ list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) {
        self.list = list
    }

    /// What a request line and its header say, taken in one pass.
    struct Head {
        var method: HTTPRequest.Method?
        var target = ""
        var contentLength: Int?
        var headerFields = HTTPFields()
    }

    /// - Returns: nil when a variable that every request has is missing or not valid.
    func head() -> Head? {
        var head = Head()
        var next = list
        while let variable = next.pointee {
            next += 1
            guard let (name, value) = Self.split(variable) else { continue }
            switch name {
            case "REQUEST_METHOD":
                head.method = HTTPRequest.Method(String(value))
            case "REQUEST_URI":
                head.target = String(value)
            case "CONTENT_LENGTH":
                if value.isEmpty { continue }
                guard let length = Int(value), length >= 0 else { return nil }
                head.contentLength = length
            default:
                Self.append(name, value, to: &head.headerFields)
            }
        }
        return head.method == nil || head.target.isEmpty ? nil : head
    }

    private static func split(_ variable: UnsafePointer<CChar>) -> (Substring, Substring)? {
        let text = String(cString: variable)
        guard let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        return (text[..<equals], text[text.utf8.index(after: equals)...])
    }

    /// `HTTP_IDEMPOTENCY_KEY` is the variable of the field `idempotency-key` (RFC 3875, 4.1.18).
    private static func append(
        _ variable: Substring, _ value: Substring, to fields: inout HTTPFields
    ) {
        guard variable.hasPrefix("HTTP_") else { return }
        let spelled = String(
            decoding: variable.utf8.dropFirst(5).map { byte in
                byte == UInt8(ascii: "_") ? UInt8(ascii: "-") : byte | 0x20
            }, as: UTF8.self)
        guard let name = HTTPField.Name(spelled), HTTPField.isValidValue(String(value)) else {
            return
        }
        fields.append(HTTPField(name: name, value: String(value)))
    }
}
