import Commerce
import HTTPTypes
import ShopParts

@testable import API
@testable import FastCGI

/// What reads bytes that a stranger or a peer has written. Each ends with a trap where it does not keep what it
/// promises; what it refuses, it refuses in its own words.
enum Parser: String, CaseIterable {
    case charge, order, key, cursor, query, trace, target, variables, memcached, broker

    /// What is a good beginning for it.
    var seeds: [String] {
        switch self {
        case .charge:
            [#"[{"chargeAmount": 50000}]"#, #"{"chargeAmount":1e3}"#, #"[{"chargeAmount": -1.5}]"#]
        case .order:
            [
                #"[{"user_id": 25, "products": [{"id": 101, "quantity": 2}], "#
                    + #""paymentAmount": 4000}]"#,
                #"{"user_id":1e0,"products":[],"paymentAmount":99999999999999999999}"#,
            ]
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
        case .charge: parseCharge(bytes)
        case .order: parseOrder(bytes)
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

    private func post(_ target: String, _ body: [UInt8]) -> Request {
        var fields = HTTPFields()
        fields[HTTPField.Name("idempotency-key")!] = "k"
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
