import CFastCGI
import Glibc
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
        while let variable = next.pointee.map(Variable.init) {
            next += 1
            if variable.isNamed("REQUEST_METHOD") {
                head.method = HTTPRequest.Method(variable.value)
            } else if variable.isNamed("REQUEST_URI") {
                head.target = variable.value
            } else if variable.isNamed("CONTENT_LENGTH") {
                guard !variable.value.isEmpty else { continue }
                guard let length = Int(variable.value), length >= 0 else { return nil }
                head.contentLength = length
            } else if let name = variable.fieldName {
                head.headerFields.append(HTTPField(name: name, value: variable.fieldValue))
            }
        }
        return head.method == nil || head.target.isEmpty ? nil : head
    }
}

/// One CGI variable, read in place: most are not needed, so few become strings.
private struct Variable {
    private let start: UnsafePointer<CChar>
    private let nameLength: Int

    init(_ start: UnsafeMutablePointer<CChar>) {
        self.start = UnsafePointer(start)
        nameLength = strcspn(start, "=")
    }

    func isNamed(_ name: StaticString) -> Bool {
        nameLength == name.utf8CodeUnitCount && memcmp(start, name.utf8Start, nameLength) == 0
    }

    var value: String {
        let end = start[nameLength] == 0 ? nameLength : nameLength + 1
        return String(cString: start + end)
    }

    /// The value of the header field that the variable carries. One with control characters is kept
    /// as a value that means nothing: cut out, they would turn a broken key into another key.
    var fieldValue: String {
        let value = value
        return HTTPField.isValidValue(value) ? value : "\u{FFFD}"
    }

    /// The header field that the variable carries, if any: `HTTP_IDEMPOTENCY_KEY` carries
    /// `idempotency-key` (RFC 3875, 4.1.18).
    var fieldName: HTTPField.Name? {
        for (variable, name) in Self.usual where isNamed(variable) { return name }
        guard nameLength > 5, memcmp(start, "HTTP_", 5) == 0 else { return nil }
        let spelled = UnsafeBufferPointer(start: start + 5, count: nameLength - 5).map { byte in
            byte == CChar(UInt8(ascii: "_")) ? UInt8(ascii: "-") : UInt8(bitPattern: byte) | 0x20
        }
        return HTTPField.Name(String(decoding: spelled, as: UTF8.self))
    }

    /// What nginx is configured to pass: making a name checks and copies its text.
    private static let usual: [(StaticString, HTTPField.Name)] = [
        ("HTTP_X_REQUEST_ID", HTTPField.Name("x-request-id")!),
        ("HTTP_IDEMPOTENCY_KEY", HTTPField.Name("idempotency-key")!),
        ("HTTP_IF_MATCH", .ifMatch),
        ("CONTENT_TYPE", .contentType),
        ("HTTP_CONTENT_ENCODING", .contentEncoding),
        ("HTTP_IF_NONE_MATCH", .ifNoneMatch),
        ("HTTP_TRACEPARENT", HTTPField.Name("traceparent")!),
    ]
}
