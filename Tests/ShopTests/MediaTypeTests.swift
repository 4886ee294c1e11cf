import Testing

/// A body is declared as JSON, and not encoded: what any website can have a browser send, is not.
@Suite struct MediaTypes {
    private let shop: Shop

    init() throws { shop = try Shop() }

    private static let body =
        #"[{"user_id": 25, "products": [{"id": 101, "quantity": 1}], "#
        + #""paymentAmount": 2000}]"#

    /// - Parameter fields: lines of the header; a type is not among them by itself.
    private func post(
        _ fields: [String], _ path: String = "/api/v1/orders", _ body: String = Self.body
    ) throws -> Answer {
        let lines = [
            "POST \(path) HTTP/1.1", "Host: localhost", "Content-Length: \(body.utf8.count)",
        ]
        let head = (lines + fields).joined(separator: "\r\n") + "\r\n\r\n"
        return try shop.newClient().exchange(Array((head + body).utf8))
    }

    private func expectUnsupported(_ answer: Answer, _ comment: Comment) throws {
        try expectProblem(answer, 415, "UNSUPPORTED_MEDIA_TYPE", nil, comment)
        #expect(answer.faults == [])
    }

    @Test func `a body that is not declared as JSON is 415`() throws {
        for type in [
            "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain",
            "text/json", "application/xml", "application/jsonx", "application/x-json", "json",
            "application/", "/json", "application", "*/*", "application/*", "application/+json",
            "application/json, text/plain", "text/plain; application/json",
            "application/json charset=utf-8", "application/json; charset=euc-kr",
            "application/json; charset=utf-16", "application/json;charset=\"iso-8859-1\"",
            "application/json; charset=", "application/json; charset=utf-8; charset=euc-kr",
            "application/json; charset", "application/json; x=\"y", "application /json",
            "text/vnd.x+json", "application/vnd.x+json; charset=latin1", "application/a b+json",
            "\u{1}", "é",
        ] {
            try expectUnsupported(try post(["Content-Type: \(type)"]), "\(type)")
        }
        try expectUnsupported(try post([]), "none")
        try expectUnsupported(try post(["Content-Type:"]), "empty")
        #expect(try shop.hasExactly([]))
    }

    @Test func `a body may be declared as JSON of any kind`() throws {
        for type in [
            "application/json", "Application/JSON", "application/json; charset=utf-8",
            "application/json;charset=UTF-8", "application/json ; charset=\"utf-8\"",
            "application/json; charset=\"U\\TF-8\"", "application/json;",
            "application/json; profile=\"a;b, c\\\"d\"; charset=utf-8",
            "application/vnd.shop.v1+json", "application/merge-patch+json; x=y",
            "application/problem+JSON",
        ] {
            #expect(try post(["Content-Type: \(type)"]).status == 200, "\(type)")
        }
    }

    @Test func `an encoded body is 415`() throws {
        let json = "Content-Type: application/json"
        for coding in ["gzip", "deflate", "br", "GZIP", "identity, gzip", "x", "aes128gcm", ";"] {
            let answer = try post([json, "Content-Encoding: \(coding)"])
            try expectUnsupported(answer, "\(coding)")
            #expect(answer["Accept-Encoding"] == "identity")
        }
        #expect(try shop.hasExactly([]))
        for coding in ["identity", "Identity", ""] {
            #expect(try post([json, "Content-Encoding: \(coding)"]).status == 200, "\(coding)")
        }
    }

    @Test func `a request without a body needs no type, whatever takes it`() throws {
        let id = try #require(try shop.post("/api/v1/orders", Self.body).orderID)
        for (path, type) in [
            ("/api/v1/orders", "text/plain"), ("/api/v1/users/25/charge", "text/plain"),
        ] {
            for fields in [[], ["Content-Type: \(type)"]] {
                try expectProblem(try post(fields, path, ""), 400, "MALFORMED_REQUEST")
            }
        }
        let cancel = "/api/v1/orders/\(id)/cancel"
        try expectUnsupported(
            try post(["Idempotency-Key: k", "Content-Type: text/plain"], cancel, "{}"), "cancel")
        try expectUnsupported(
            try post(["Idempotency-Key: k"], "/api/v1/users/25/charge", charge(1_000)), "charge")
        #expect(try post(["Idempotency-Key: k"], cancel, "").status == 200)
    }

    @Test func `a cancel's body is JSON too, and says nothing`() throws {
        let id = try #require(try shop.post("/api/v1/orders", Self.body).orderID)
        let path = "/api/v1/orders/\(id)/cancel"
        for body in ["x", "[", #"{"a": 1, "a": 2}"#, "1", "[{}, {}]", " "] {
            try expectProblem(
                try shop.post(path, body, key: "k"), 400, "MALFORMED_REQUEST", nil, "\(body)")
        }
        #expect(try shop.post(path, #"[{"reason": "too late"}]"#, key: "k").status == 200)
    }

    @Test func `a type is judged after the method and before the body`() throws {
        let answer = try shop.request(
            "PUT", "/api/v1/orders", ["Content-Type": "text/plain"], body: Array("x".utf8))
        #expect(answer.status == 405)
        try expectUnsupported(
            try post(["Content-Type: text/plain"], "/api/v1/users/999/charge", "x"), "charge")
        #expect(try shop.request("GET", "/products/25", body: Array("x".utf8)).status == 200)
    }
}
