/// One record of the FastCGI protocol (FastCGI Specification 1.0, 3.3).
struct Record: Equatable {
    enum Kind: UInt8 {
        case beginRequest = 1
        case abortRequest, endRequest, parameters, standardInput, standardOutput, standardError
        case data, getValues, getValuesResult, unknownType
    }

    var version: UInt8 = 1
    var kind: UInt8
    var request: UInt16 = 1
    var content: [UInt8] = []
    var padding = 0

    init(_ kind: Kind, request: UInt16 = 1, _ content: [UInt8] = [], padding: Int = 0) {
        self.kind = kind.rawValue
        self.request = request
        self.content = content
        self.padding = padding
    }

    /// Takes the first record of `bytes` away, if it is complete.
    init?(takingFrom bytes: inout [UInt8]) {
        guard bytes.count >= 8 else { return nil }
        let count = Int(bytes[4]) << 8 | Int(bytes[5])
        let padding = Int(bytes[6])
        guard bytes.count >= 8 + count + padding else { return nil }
        version = bytes[0]
        kind = bytes[1]
        request = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        content = Array(bytes[8..<(8 + count)])
        self.padding = padding
        bytes.removeFirst(8 + count + padding)
    }

    func `is`(_ kind: Kind) -> Bool { self.kind == kind.rawValue }

    var bytes: [UInt8] {
        let head: [UInt8] = [
            version, kind, UInt8(request >> 8), UInt8(request & 0xFF), UInt8(content.count >> 8),
            UInt8(content.count & 0xFF), UInt8(padding), 0,
        ]
        return head + content + Array(repeating: 0, count: padding)
    }

    static func begin(_ request: UInt16 = 1, keep: Bool = true, role: UInt8 = 1) -> Record {
        Record(.beginRequest, request: request, [0, role, keep ? 1 : 0, 0, 0, 0, 0, 0])
    }
}

/// An HTTP request as nginx sends it on.
struct Message {
    var id: UInt16 = 1
    var keep = true
    var variables: [(name: String, value: [UInt8])]
    var body: [UInt8] = []
    /// The content of one record at most.
    var chunk = 32_768
    var padding = 0

    init(
        _ method: String = "GET", _ target: String = "/", fields: [(String, String)] = [],
        body: [UInt8] = [], length: String? = nil
    ) {
        self.body = body
        variables = [
            ("REQUEST_METHOD", Array(method.utf8)), ("REQUEST_URI", Array(target.utf8)),
            ("REMOTE_ADDR", Array("127.0.0.1".utf8)),
        ]
        if let length = length ?? (body.isEmpty ? nil : "\(body.count)") {
            variables.append(("CONTENT_LENGTH", Array(length.utf8)))
        }
        for (name, value) in fields { variables.append((name, Array(value.utf8))) }
    }

    func without(_ variable: String) -> Message {
        var message = self
        message.variables.removeAll { $0.name == variable }
        return message
    }

    var parameters: [UInt8] {
        variables.flatMap { name, value in
            Self.length(name.utf8.count) + Self.length(value.count) + Array(name.utf8) + value
        }
    }

    var records: [Record] {
        [.begin(id, keep: keep)] + stream(.parameters, parameters) + stream(.standardInput, body)
    }

    var bytes: [UInt8] { records.flatMap(\.bytes) }

    /// A stream is ended by an empty record.
    private func stream(_ kind: Record.Kind, _ content: [UInt8]) -> [Record] {
        let chunks = stride(from: 0, to: content.count, by: chunk).map { start in
            Record(
                kind, request: id, Array(content[start..<min(start + chunk, content.count)]),
                padding: padding)
        }
        return chunks + [Record(kind, request: id)]
    }

    /// One byte below 128, else four with the first bit set.
    static func length(_ count: Int) -> [UInt8] {
        if count < 128 { return [UInt8(count)] }
        return [
            UInt8(count >> 24 & 0x7F) | 0x80, UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF),
            UInt8(count & 0xFF),
        ]
    }
}

/// What a request got.
struct Answer {
    let status: Int
    /// Under names in lower case.
    let fields: [String: String]
    let body: [UInt8]
    /// Of the record that ended the request; 0 is "complete".
    let protocolStatus: UInt8

    var text: String { String(decoding: body, as: UTF8.self) }

    /// - Returns: nil for output that is not a CGI response (RFC 3875, 6).
    init?(output: [UInt8], protocolStatus: UInt8) {
        let end = (0..<max(0, output.count - 3)).first { Array(output[$0..<($0 + 4)]) == Self.end }
        guard let end else { return nil }
        var fields: [String: String] = [:]
        let head = String(decoding: output[..<end], as: UTF8.self)
        for line in head.split(separator: "\r\n") {
            let parts = line.split(separator: ": ", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return nil }
            fields[parts[0].lowercased()] = String(parts[1])
        }
        guard let status = fields["status"].flatMap({ Int($0.prefix(3)) }) else { return nil }
        self.status = status
        self.fields = fields
        body = Array(output[(end + 4)...])
        self.protocolStatus = protocolStatus
    }

    private static let end = Array("\r\n\r\n".utf8)
}
