import Commerce
import FoundationEssentials
import HTTPTypes
import ShopParts
import StrictJSON

@testable import API
@testable import FastCGI

/// The readers of bytes that a stranger or a peer has written. Each ends with a trap where it breaks
/// its promise, and refuses input in its own words.
enum Parser: String, CaseIterable {
    case json, charge, order, type, key, cursor, query, trace, target, variables
    case memcached, broker

    /// What is a good beginning for it.
    var seeds: [String] {
        switch self {
        case .json:
            [
                #" {"a": [1, -0.5e+7, "é\ud83d\ude00\n", true, null], "": {"b": {}}} "#, "[[[[]]]]",
                #"{"a": 1, "\u0061": 2}"#, "1e400", "-9223372036854775809", "0.10e1",
            ]
        case .charge:
            [#"[{"chargeAmount": 50000}]"#, #"{"chargeAmount":1e3}"#, #"[{"chargeAmount": -1.5}]"#]
        case .order:
            [
                #"[{"user_id": 25, "products": [{"id": 101, "quantity": 2}], "#
                    + #""paymentAmount": 4000}]"#,
                #"{"user_id":1e0,"products":[],"paymentAmount":99999999999999999999}"#,
            ]
        case .type: ["application/json", "application/a+json; charset=\"utf-\\8\"; x=y"]
        case .key: ["charge-1", "\u{7F}", "é"]
        case .cursor: ["cHJvZHVjdHMgMjUg", Cursor(list: "products", id: -1, name: "카페 +/").text]
        case .query: ["/x?q=%EC%B9%B4&limit=1", "/x?q=+%2B&q=2", "/x?%71=%zz&&=&"]
        case .trace: ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]
        case .target: ["/api/v1/users/25/charge?x", "/products/popular", "/products/-1"]
        case .variables:
            ["REQUEST_METHOD=GET\0REQUEST_URI=/\0CONTENT_LENGTH=3\0HTTP_IDEMPOTENCY_KEY=k\0=\0"]
        case .memcached:
            [
                "\0VALUE key 5 2 77\r\nhi\r\nVALUE b 0 0 0\r\n\r\nEND\r\n", "\u{1}STORED\r\n",
                "\u{1}NOT_STORED\r\n", "\u{3}EXISTS\r\n", "\u{4}NOT_FOUND\r\n",
                "\u{2}SERVER_ERROR out of memory\r\n",
            ]
        case .broker:
            [
                // basic.ack; basic.deliver, its header and its body.
                "\u{2}\u{1}\u{1}\u{D}\0<\0P\0\0\0\0\0\0\0\u{2}\u{1}",
                "\u{3}\u{1}\u{1}\u{12}\0<\0<\u{1}c\0\0\0\0\0\0\0\u{1}\0\0\u{1}k"
                    + "\u{2}\u{1}\u{E}\0<\0\0\0\0\0\0\0\0\0\u{1}\0\0\u{3}\u{1}\u{1}x",
                String(decoding: [0] + BrokerBytes.login.filter { $0 < 0x80 }, as: UTF8.self),
            ]
        }
    }

    func parse(_ bytes: [UInt8]) {
        switch self {
        case .json: parseJSON(bytes)
        case .charge: parseCharge(bytes)
        case .order: parseOrder(bytes)
        case .type: parseType(bytes)
        case .key: parseKey(bytes)
        case .cursor: parseCursor(String(decoding: bytes, as: UTF8.self))
        case .query: parseQuery(String(decoding: bytes, as: UTF8.self))
        case .trace: parseTrace(String(decoding: bytes, as: UTF8.self))
        case .target: parseTarget(String(decoding: bytes, as: UTF8.self))
        case .variables: parseVariables(bytes)
        case .memcached: MemcachedPeer.answer(bytes)
        case .broker: BrokerPeer.talk(bytes)
        }
    }

    /// Runs a parser, which may throw nothing but a problem for the client.
    private func judged<T>(_ body: () throws -> T) -> T? {
        do {
            return try body()
        } catch let problem as Problem {
            precondition(problem.response.status.code < 500, "\(problem)")
            return nil
        } catch {
            preconditionFailure("\(error)")
        }
    }

    /// A text that the strict reader takes is one for Foundation too.
    private func parseJSON(_ bytes: [UInt8]) {
        guard let value = try? JSONValue(reading: bytes) else { return }
        // In an array, or Foundation would look whether it is UTF-16.
        let wrapped = Data([UInt8(ascii: "[")] + bytes + [UInt8(ascii: "]")])
        guard let seen = try? JSONDecoder().decode([Foreign].self, from: wrapped) else {
            preconditionFailure("taken, though it is not JSON")
        }
        if let text = try? value.string() { precondition(seen[0].text == text) }
        if let number = try? value.wholeNumber().exact { precondition(seen[0].isNear(number)) }
        if let elements = try? value.elements() { precondition(seen[0].count == elements.count) }
        if let object = try? value.objectText() {
            precondition((try? JSONValue(reading: object)) != nil)
        }
    }

    private func parseType(_ bytes: [UInt8]) {
        let fields: HTTPFields = [.contentType: String(decoding: bytes, as: UTF8.self)]
        let type = fields[.contentType] ?? ""  // Without the blanks around it.
        let request = Request(method: .post, target: "/", headerFields: fields, body: [0x30])
        guard judged({ try request.expectJSON() }) != nil else { return }
        precondition(type.lowercased().hasPrefix("application/"))
        precondition(type.lowercased().contains("json"))
    }

    private func post(_ target: String, _ body: [UInt8]) -> Request {
        var fields = HTTPFields()
        fields[HTTPField.Name("idempotency-key")!] = "k"
        fields[.contentType] = "application/json"
        return Request(method: .post, target: target, headerFields: fields, body: body)
    }

    private func parseCharge(_ bytes: [UInt8]) {
        let request = post("/api/v1/users/25/charge", bytes)
        guard let charge = judged({ try API.charge(request, PathNumber(text: "25")) }) else {
            return
        }
        guard case .charge(let user, let amount) = charge.command.action else {
            preconditionFailure("not a charge")
        }
        precondition(user.number == 25 && (1_000...1_000_000).contains(amount.won.amount))
    }

    private func parseOrder(_ bytes: [UInt8]) {
        guard let order = judged({ try API.order(post("/api/v1/orders", bytes)) }) else { return }
        guard let cart = order.command.cart else { preconditionFailure("not an order") }
        precondition((1...100).contains(cart.lines.count))
        precondition(cart.lines.allSatisfy { (1...100_000_000).contains($0.quantity) })
        precondition(Set(cart.lines.map(\.product)).count == cart.lines.count)
    }

    private func parseKey(_ bytes: [UInt8]) {
        // As FastCGI brings it.
        let key = Array("HTTP_IDEMPOTENCY_KEY=".utf8) + bytes.filter { $0 != 0 }
        let others = ["REQUEST_METHOD=POST", "REQUEST_URI=/"].map { Array($0.utf8) }
        withVariables(others + [key]) { fields in
            let request = Request(method: .post, target: "/", headerFields: fields)
            guard let key = judged({ try request.idempotencyKey() }) ?? nil else { return }
            precondition((1...255).contains(key.utf8.count))
            precondition(key.utf8.allSatisfy { (0x21...0x7E).contains($0) })
        }
    }

    private func parseCursor(_ text: String) {
        guard let cursor = Cursor(text) else { return }
        precondition(cursor.text == text)
        let again = Cursor(list: cursor.list, id: cursor.id, name: cursor.name)
        precondition(again.text == text)
    }

    private func parseQuery(_ target: String) {
        let request = Request(method: .get, target: target)
        guard let value = judged({ try request.parameter("q") }) ?? nil else { return }
        let again = Request(method: .get, target: "/x?q=\(value.percentEncoded)")
        precondition(judged { try again.parameter("q") } == .some(value), "not the same again")
        _ = judged { try PageRequest(request, of: "products") }
    }

    private func parseTrace(_ text: String) {
        guard let trace = TraceID(traceparent: text) else { return }
        let digits = Set("0123456789abcdef")
        precondition(trace.description.count == 32 && trace.description.allSatisfy(digits.contains))
    }

    private func parseTarget(_ target: String) {
        let (resource, number) = route(Request(method: .get, target: target).path)
        precondition(resource != .nothing || number.text.isEmpty)
        precondition(number.positive ?? 1 > 0)
    }

    private func parseVariables(_ bytes: [UInt8]) {
        withVariables(bytes.split(separator: 0).map(Array.init)) { _ in }
    }

    /// Reads variables as libfcgi leaves them.
    private func withVariables(_ variables: [[UInt8]], _ body: (HTTPFields) -> Void) {
        let strings = variables.map { variable in
            let string = UnsafeMutablePointer<CChar>.allocate(capacity: variable.count + 1)
            for (index, byte) in variable.enumerated() { string[index] = CChar(bitPattern: byte) }
            string[variable.count] = 0
            return string
        }
        defer { for string in strings { string.deallocate() } }
        var list: [UnsafeMutablePointer<CChar>?] = strings + [nil]
        list.withUnsafeMutableBufferPointer { list in
            let parameters = Parameters(list.baseAddress!)
            let head = parameters.head()
            precondition(head?.contentLength ?? 0 >= 0)
            precondition(head.map { !$0.target.isEmpty && $0.method != nil } ?? true)
            if let head { body(head.headerFields) }
        }
    }
}

/// A value as Foundation reads it.
private struct Foreign: Decodable {
    var text: String?
    var number: Double?
    var count: Int?

    init(from decoder: any Decoder) throws {
        if let list = try? decoder.unkeyedContainer() {
            count = list.count
        } else if let value = try? decoder.singleValueContainer() {
            text = try? value.decode(String.self)
            number = try? value.decode(Double.self)
        }
    }

    /// As near as a `Double` comes; what it cannot hold, it does not read.
    func isNear(_ other: Int64) -> Bool {
        guard let number else { return true }
        return abs(number - Double(other)) <= abs(Double(other)) * 1e-15
    }
}
