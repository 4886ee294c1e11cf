import Testing

/// Everything that a client may send by mistake or in malice: the documented refusal, never a 500,
/// and the connection serves on.
@Suite struct BadInput {
    private let shop: Shop

    init() throws { shop = try Shop() }

    /// Bodies that are no JSON document of either route.
    private static let garbageTexts: [String] = [
        "", " ", "[", "]", "{", "[]", "{}", "[{}]", "[[]]", "null", "[null]", "true", "0",
        "\"\"", "[1]", "[\"x\"]", "[{}, {}]", "nul", "{]", "[}", "[{\"", "\\", "<xml/>",
        "chargeAmount=5000", "{\"a\"}", "{\"a\":}", "{,}", "[,]", "{} {}", "[{}] x",
        "[{'chargeAmount': 5000}]", "[{chargeAmount: 5000}]", "[{\"chargeAmount\": 5000,}",
        "/* */ [{\"chargeAmount\": 5000}]x", "[{\"chargeamount\": 5000}]", "\u{0}",
        "[{\"chargeAmount\": 5000}]\u{0}", "[{\"chargeAmount\u{0}\": 5000}]",
        "[[{\"chargeAmount\": 5000}]]",
        "[{\"chargeAmount\": 5000}, {\"chargeAmount\": 5000}]",
        "[{\"chargeAmount\": 5000}, null]",
        String(repeating: "[", count: 60_000), String(repeating: "{\"a\":", count: 12_000),
        nested(30_000),
        String(repeating: "x", count: 63 << 10), String(repeating: "9", count: 63 << 10),
        String(repeating: "\"", count: 63 << 10),
    ]

    private static func nested(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }

    private static let garbage: [[UInt8]] = {
        let charge = ShopTests.charge(5_000)
        var bodies: [[UInt8]] = garbageTexts.map { Array($0.utf8) }
        let utf16: [UInt8] = charge.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        bodies.append(utf16)
        bodies.append([0xFF, 0xFE] + utf16)
        bodies.append(charge.utf8.flatMap { [0, 0, 0, $0] as [UInt8] })
        bodies.append((0..<(63 << 10)).map { (number: Int) in UInt8(number * 31 % 251) })
        bodies += [[0xFF], [0xC3, 0x28], [0xED, 0xA0, 0x80]]
        let opening = Array(#"[{"chargeAmount": 5000, "x": ""#.utf8)
        bodies.append(opening + [0xFF] + Array("\"}]".utf8))
        return bodies
    }()

    /// What stands where a whole number belongs.
    private static let notWholeNumbers = [
        "1.5", "5000.5", "1e-1", "0.1", "\"5\"", "\"5000\"", "true", "false",
        "null", "[]", "{}", "[5000]", "NaN", "Infinity", "-Infinity", "+5000", "05000", "5_000",
        "5,000", ".5", "5.", "0x10", "--1", "1e", "-", "５０００",
    ]

    @Test func `no garbage is a charge`() throws {
        let client = shop.newClient()
        for body in Self.garbage {
            let answer = try client.request(
                "POST", "/api/v1/users/25/charge",
                ["Idempotency-Key": TestRun.freshName("key")], body: body)
            try expectProblem(
                answer, 400, "MALFORMED_REQUEST", nil,
                "\(String(decoding: body.prefix(60), as: UTF8.self))")
            #expect(answer.faults == [])
        }
        #expect(client.connections == 1)
        #expect(try shop.points(25) == 100_000)
    }

    @Test func `no garbage is an order`() throws {
        let client = shop.newClient()
        for body in Self.garbage {
            let answer = try client.request("POST", "/api/v1/orders", body: body)
            try expectProblem(
                answer, 400, "MALFORMED_REQUEST", nil,
                "\(String(decoding: body.prefix(60), as: UTF8.self))")
            #expect(answer.faults == [])
        }
        #expect(client.connections == 1)
        #expect(try shop.hasExactly([]))
    }

    @Test func `what is no whole number is no amount`() throws {
        for value in Self.notWholeNumbers {
            for body in ["[{\"chargeAmount\": \(value)}]", "{\"chargeAmount\": \(value)}"] {
                let key = TestRun.freshName("key")
                try expectProblem(
                    try shop.post("/api/v1/users/25/charge", body, key: key), 400,
                    "MALFORMED_REQUEST", nil, "\(body)")
            }
        }
        #expect(try shop.points(25) == 100_000)
    }

    @Test func `what is no whole number is nothing in an order`() throws {
        for value in Self.notWholeNumbers {
            for (user, product, quantity, amount) in [
                (value, "101", "1", "2000"), ("25", value, "1", "2000"),
                ("25", "101", value, "2000"), ("25", "101", "1", value),
            ] {
                let body = """
                    [{"user_id": \(user), "products": [{"id": \(product), \
                    "quantity": \(quantity)}], "paymentAmount": \(amount)}]
                    """
                try expectProblem(
                    try shop.post("/api/v1/orders", body), 400, "MALFORMED_REQUEST", nil,
                    "\(body)")
            }
        }
        #expect(try shop.hasExactly([]))
    }

    @Test func `numbers beyond any range get the answer of their range`() throws {
        for (quantity, amount, code) in [
            ("99999999999999999999", "2000", "MALFORMED_REQUEST"),
            ("-1e30", "2000", "MALFORMED_REQUEST"),
            ("1", "99999999999999999999", "PRICE_MISMATCH"),
            ("1", "-1e30", "PRICE_MISMATCH"),
            ("1", "9223372036854775807", "PRICE_MISMATCH"),
            ("1", "-9223372036854775808", "PRICE_MISMATCH"),
        ] {
            let body = """
                [{"user_id": 25, "products": [{"id": 101, "quantity": \(quantity)}], \
                "paymentAmount": \(amount)}]
                """
            let answer = try shop.post("/api/v1/orders", body)
            try expectProblem(answer, 400, code, nil, "\(body)")
        }
    }

    @Test func `an order that lacks something is malformed`() throws {
        for body in [
            #"[{"products": [{"id": 101, "quantity": 1}], "paymentAmount": 2000}]"#,
            #"[{"user_id": 25, "paymentAmount": 2000}]"#,
            #"[{"user_id": 25, "products": [{"id": 101, "quantity": 1}]}]"#,
            #"[{"user_id": 25, "products": [{"quantity": 1}], "paymentAmount": 2000}]"#,
            #"[{"user_id": 25, "products": [{"id": 101}], "paymentAmount": 2000}]"#,
            #"[{"user_id": 25, "products": {"id": 101, "quantity": 1}, "paymentAmount": 2000}]"#,
            #"[{"user_id": 25, "products": [null], "paymentAmount": 2000}]"#,
            #"[{"user_id": 25, "products": [[]], "paymentAmount": 2000}]"#,
            #"[{"user_id": 25, "products": "101", "paymentAmount": 2000}]"#,
            #"[{"user_id": 25, "products": null, "paymentAmount": 2000}]"#,
        ] {
            try expectProblem(
                try shop.post("/api/v1/orders", body), 400, "MALFORMED_REQUEST", nil, "\(body)")
        }
    }

    @Test func `strange addresses name nothing`() throws {
        let client = shop.newClient()
        let digits = String(repeating: "9", count: 7_000)
        for (path, status, code) in [
            ("/api/v1/users/+25", 404, "USER_NOT_FOUND"),
            ("/api/v1/users/%2B25", 404, "USER_NOT_FOUND"),
            ("/api/v1/users/25%20", 404, "USER_NOT_FOUND"),
            ("/api/v1/users/25;x", 404, "USER_NOT_FOUND"),
            ("/api/v1/users/'%20OR%201=1", 404, "USER_NOT_FOUND"),
            ("/api/v1/users/\(digits)", 404, "USER_NOT_FOUND"),
            ("/api/v1/users/%", 400, "MALFORMED_REQUEST"),
            ("/api/v1/users/%00", 400, "MALFORMED_REQUEST"),
            ("/api/v1/users/", 404, "NOT_FOUND"),
            ("/api/v1/users//25", 404, "NOT_FOUND"),
            ("//api/v1/users/25", 404, "NOT_FOUND"),
            ("//", 404, "NOT_FOUND"),
            ("/api/v1/../v1/users/25", 404, "NOT_FOUND"),
            ("/../../etc/passwd", 400, "MALFORMED_REQUEST"),
            ("/products/\(digits)", 400, "INVALID_PRODUCT_ID"),
            ("/products/%32%35x", 400, "INVALID_PRODUCT_ID"),
            ("/products/-0", 400, "INVALID_PRODUCT_ID"),
            ("/products/Popular", 400, "INVALID_PRODUCT_ID"),
            ("/products/25/", 404, "NOT_FOUND"),
            ("/x?path=/livez", 404, "NOT_FOUND"),
            ("/" + String(repeating: "x", count: 7_900), 404, "NOT_FOUND"),
            ("/" + String(repeating: "/", count: 7_900), 404, "NOT_FOUND"),
            ("/%6Dyetrics", 404, "NOT_FOUND"),
        ] {
            let answer = try client.get(path)
            try expectProblem(answer, status, code, nil, "\(path.prefix(60))")
            #expect(answer.faults == [])
        }
        #expect(try shop.get("/api/v1/users/25").text == balance(of25: "100,000"))
    }

    @Test func `headers may hold anything`() throws {
        let noise = (0x21...0xFF).map { UInt8($0) }.filter { $0 != 0x7F }
        for name in ["Idempotency-Key", "If-None-Match", "Content-Type", "traceparent", "X-Any"] {
            let head = "GET /products/25 HTTP/1.1\r\nHost: localhost\r\n\(name): "
            let answer = try shop.newClient().exchange(
                Array(head.utf8) + noise + Array("\r\n\r\n".utf8))
            #expect(answer.status == 200, "\(name)")
        }
        for length in ["-1", "x", "1e3", "99999999999999999999"] {
            let request = "POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\n"
            let answer = try shop.newClient().exchange(
                Array((request + "Content-Length: \(length)\r\n\r\n").utf8))
            #expect([400, 413].contains(answer.status), "\(length)")
            #expect(answer.faults == [])
        }
    }
}
