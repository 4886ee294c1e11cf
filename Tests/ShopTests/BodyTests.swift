import Testing

/// What the bodies of requests may say: one thing, in JSON, declared as such.
@Suite struct Bodies {
    private let shop: Shop

    init() throws { shop = try Shop() }

    private func order(
        _ user: String = "25", _ product: String = "101", _ quantity: String = "1",
        paying amount: String = "2000", more: String = "", inLine: String = ""
    ) -> String {
        """
        [{"user_id": \(user), "products": [{"id": \(product), "quantity": \(quantity)\(inLine)}], \
        "paymentAmount": \(amount)\(more)}]
        """
    }

    private func expectMalformed(_ body: String, _ detail: String? = nil) throws {
        let comment: Comment = "\(body.prefix(200))"
        let answer = try shop.post("/api/v1/orders", body)
        let problem = try expectProblem(answer, 400, "MALFORMED_REQUEST", nil, comment)
        if let detail { #expect(problem.detail.hasPrefix(detail), comment) }
    }

    @Test func `a member that is there twice is refused, however it is spelled`() throws {
        for (body, name) in [
            (order(more: #", "user_id": 26"#), "user_id"),
            (order(more: #", "user_id": 25"#), "user_id"),
            (order(more: #", "user\u005fid": 26"#), "user_id"),
            (order(inLine: #", "quantity": 2"#), "quantity"),
            (order(inLine: #", "\u0071uantity": 2"#), "quantity"),
            (order(more: #", "name": 1, "name": 1"#), "name"),
            (order(more: #", "x": {"y": [0, {"z": 1, "z": 2}]}"#), "z"),
            (order(inLine: #", "name": {"a": 1, "b": 2, "\u0061": 1}"#), "a"),
            (order(more: #", "": 1, "": 2"#), ""),
        ] {
            try expectMalformed(
                body, "The body cannot be read: the member \"\(name)\" is there twice.")
        }
        try expectProblem(
            try shop.post(
                "/api/v1/users/25/charge", #"{"chargeAmount": 1000, "chargeAmount": 2000}"#,
                key: "k"
            ), 400, "MALFORMED_REQUEST")
        #expect(try shop.hasExactly([]))
        #expect(try shop.points(25) == 100_000)
    }

    @Test func `a fraction is no whole number, however near to one it is`() throws {
        for value in [
            "999.99999999999999999", "1000.00000000000000000001", "1000000.0000000000000001",
            "4611686018427387904.5", "1e-400", "1000e-4", "5e-324", "0.5e0", "15e-1",
            "1000." + String(repeating: "0", count: 400) + "1", "1e-99999999999999999999",
        ] {
            let answer = try shop.post(
                "/api/v1/users/25/charge", "[{\"chargeAmount\": \(value)}]", key: "k")
            let problem = try expectProblem(
                answer, 400, "MALFORMED_REQUEST", nil, "\(value.prefix(40))")
            #expect(problem.detail.hasPrefix("chargeAmount is not a whole number."))
        }
        try expectMalformed(order("24.9999999999999999"), "user_id is not a whole number.")
        try expectMalformed(
            order("25", "100.99999999999999999"), "products[0].id is not a whole number.")
        try expectMalformed(order("25", "101", "1.0000000000000000001"))
        try expectMalformed(order(paying: "2000.0000000000000000001"))
        #expect(try shop.hasExactly([]))
        #expect(try shop.points(25) == 100_000)
    }

    @Test func `a whole number is what has no fraction, in whatever way it is written`() throws {
        for (number, value) in [
            "1000", "1000.0", "1e3", "1.0E+3", "100000e-2", "0.01e5", "1000.000000000000000000000",
            "1" + String(repeating: "0", count: 403) + "e-400",
            "0." + String(repeating: "0", count: 400) + "1e404",
        ].enumerated() {
            let answer = try shop.post(
                "/api/v1/users/25/charge", "[{\"chargeAmount\": \(value)}]", key: "key-\(number)")
            #expect(answer.status == 200, "\(value.prefix(40))")
        }
        #expect(try shop.points(25) == 109_000)
        for zero in ["0", "-0", "0.0", "-0.0e7", "0e999999999999999999999", "0e-1"] {
            try expectProblem(
                try shop.post("/api/v1/users/25/charge", "[{\"chargeAmount\": \(zero)}]", key: "z"),
                400, "CHARGE_BELOW_MINIMUM", nil, "\(zero)")
        }
    }

    @Test func `a whole number beyond 64 bits gets the answer of its range`() throws {
        let digits = String(repeating: "9", count: 400)
        for value in [
            "9223372036854775808", digits, "1e400", "1E+99999999999999999999", digits + ".0",
            "123.5e400", "1e4000000000",
        ] {
            let charge = try shop.post(
                "/api/v1/users/25/charge", "[{\"chargeAmount\": \(value)}]", key: "k")
            try expectProblem(charge, 400, "CHARGE_ABOVE_MAXIMUM", nil, "\(value.prefix(40))")
            let less = try shop.post(
                "/api/v1/users/25/charge", "[{\"chargeAmount\": -\(value)}]", key: "k")
            try expectProblem(less, 400, "CHARGE_BELOW_MINIMUM", nil, "-\(value.prefix(40))")
            try expectMalformed(order("25", "101", value), "A quantity is a whole number from 1")
            try expectProblem(
                try shop.post("/api/v1/orders", order(paying: value)), 400, "PRICE_MISMATCH")
        }
    }

    @Test func `a number beyond 64 bits is nobody's, not that of the greatest`() throws {
        let (user, product) = (Int64.max, Int64.max)
        try shop.execute(
            "INSERT INTO users (id, name, hp_no, point) VALUES (\(user), 'last', '1', 100000)")
        try shop.execute(
            "INSERT INTO product (id, name, price) VALUES (\(product), 'last', 2000)")
        try shop.execute("INSERT INTO stock (product_id, quantity) VALUES (\(product), 10)")
        for value in ["9223372036854775808", "1e19", "1e400"] {
            try expectProblem(
                try shop.post("/api/v1/orders", order(value)), 404, "USER_NOT_FOUND")
            try expectProblem(
                try shop.post("/api/v1/orders", order("25", value)), 404, "PRODUCT_NOT_FOUND")
        }
        #expect(try shop.post("/api/v1/orders", order("\(user)", "\(product)")).status == 200)
    }

    @Test func `JSON is judged strictly, where a member is ignored too`() throws {
        for text in [
            #""\x41""#, "\"a\nb\"", "\"a\tb\"", "\"\u{1}\"", "007", "-01", "+1", ".5", "1.", "-",
            "1e", "1e+", "0x10", "NaN", "Infinity", "-Infinity", "1_000", "nul", "True", "'a'",
            #""\ud800""#, #""\udc00""#, #""\ud800A""#, #""\ud800\ud800""#, #""\u12g4""#,
            #""\u12""#, #""\U0041""#, #""\'""#, #""\ufffe""#, #""\ud83f\udfff""#,
            "[1,]", "[,1]", "[1 2]", #"{"a": 1,}"#, #"{"a" 1}"#, "{1: 2}", "{a: 1}", "// x\n1",
            "/* x */ 1", "# x\n1", "\u{A0}1", "\u{FEFF}1", "\"", "undefined", "1; 2", "0 0",
            String(repeating: "[", count: 60) + String(repeating: "]", count: 60),
        ] {
            try expectMalformed(order(more: ", \"memo\": \(text)"), "The body cannot be read: ")
            try expectMalformed(order(inLine: ", \"name\": \(text)"), "The body cannot be read: ")
        }
        for body in [
            order() + "x", order() + ",", order() + "[]", "\u{FEFF}" + order(), order() + "\u{0}",
            order(more: ","), "\u{C}" + order(), "// x\n" + order(),
        ] { try expectMalformed(body, "The body cannot be read: ") }
        for bytes: [UInt8] in [
            [0xFF], [0xC0, 0xAF], [0xC1, 0x81], [0xE0, 0x80, 0xAF], [0xF0, 0x80, 0x80, 0xAF],
            [0xED, 0xA0, 0x80], [0xED, 0xA0, 0x80, 0xED, 0xB0, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0xF8, 0x88, 0x80, 0x80, 0x80], [0x80], [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98],
            [0xEF, 0xBF, 0xBF], [0xEF, 0xB7, 0x90],
        ] {
            let parts = order(more: ", \"memo\": \"?\"").split(separator: "?")
            let body = Array(parts[0].utf8) + bytes + Array(parts[1].utf8)
            try expectProblem(
                try shop.request("POST", "/api/v1/orders", body: body), 400, "MALFORMED_REQUEST",
                nil, "\(bytes)")
        }
        #expect(try shop.hasExactly([]))
    }

    @Test func `valid JSON is ignored where nobody needs it`() throws {
        for text in [
            #""\u0041\n\"\\\/\b\f\r\t\u0000""#, #""😀 \ud83d\ude00 \u00e9 한글""#, "-0", "1e-400",
            "-1.5E+10", "null", "[]", "{}", "[[], {}]", #"{"a": 1, "A": 2, "": 3}"#, "1e999999",
            "{\"\u{E9}\": 1, \"e\u{301}\": 2}",  // As Unicode they are equal, as members not.
            String(repeating: "[", count: 20) + String(repeating: "]", count: 20),
        ] {
            let body = "\r\n\t " + order(more: ", \"memo\": \(text)", inLine: ", \"name\": \(text)")
            #expect(try shop.post("/api/v1/orders", body + " \n").status == 200, "\(text)")
        }
    }

    @Test func `a refusal names the member, and not what it held`() throws {
        for (body, detail) in [
            (#"[{"user_id": "홍길동 010-1234"}]"#, "user_id is not a number."),
            (#"[{"user_id": 25}]"#, "products is missing."),
            (#"[{"user_id": 25, "products": {}}]"#, "products is not an array."),
            (#"[{"user_id": 25, "products": ["홍길동"]}]"#, "products[0] is not an object."),
            (
                #"[{"user_id": 25, "products": [{"id": 1, "quantity": 1}, {"id": 2}]}]"#,
                "products[1].quantity is missing."
            ),
            (
                #"{"user_id": 25, "products": [{"id": 1, "quantity": 1}]}"#,
                "paymentAmount is missing."
            ),
            (#"{"user_id": 25, "홍길동": 1, "홍길동": 2}"#, "a member is there twice"),
            (#"[{}, {}]"#, "The body is not an array of one object."),
            (#""홍길동""#, "The body is not an array of one object."),
            (#"[1]"#, "The body is not an array of one object."),
        ] {
            let problem = try expectProblem(
                try shop.post("/api/v1/orders", body), 400, "MALFORMED_REQUEST", nil, "\(body)")
            #expect(problem.detail.contains(detail), "\(body): \(problem.detail)")
            #expect(!problem.detail.contains("홍길동") && !problem.detail.contains("010"))
        }
    }
}
