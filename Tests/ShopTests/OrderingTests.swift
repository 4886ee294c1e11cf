import Testing

@Suite struct Ordering {
    private let shop: Shop
    private let books: Books

    init() throws {
        shop = try Shop()
        books = try Books(shop)
    }

    private func order(_ body: String, key: String? = nil) throws -> Answer {
        try shop.post("/api/v1/orders", body, key: key)
    }

    @Test func `the documentation's order gets the first number`() throws {
        let answer = try order(
            """
            [{"id": 1, "user_id": 25, "products": [\
            {"id": 101, "name": "양배추 샐러드", "quantity": 2}, \
            {"id": 102, "name": "단호박 샐러드", "quantity": 2}, \
            {"id": 103, "name": "버섯 샐러드", "quantity": 1}], "paymentAmount": 10000}]
            """)
        #expect(answer.status == 200)
        #expect(answer.text == #"[{"orderId": "1"}]"#)
        #expect(answer["Content-Type"] == "application/json")
        #expect(answer["Cache-Control"] == "no-store")
        #expect(answer["Idempotent-Replayed"] == nil)
        #expect(try shop.get("/api/v1/users/25").text == balance(of25: "90,000"))
        #expect(try [101, 102, 103].map(shop.stock) == [998, 998, 999])
        #expect(try books.discrepancies() == [])
        #expect(try shop.hasExactly([1]))
    }

    @Test func `members that are not needed may hold anything`() throws {
        for value in ["null", "\"x\"", "-1", "1e400", "[[]]", "{\"a\": [1, {}]}", "true"] {
            let answer = try order(
                """
                [{"id": \(value), "user_id": 25, "extra": \(value), "products": [\
                {"name": \(value), "price": \(value), "id": 101, "quantity": 1}], \
                "paymentAmount": 2000}]
                """)
            #expect(answer.status == 200, "\(value): \(answer.text)")
        }
    }

    @Test func `one product on two lines is one line of the sum`() throws {
        let two = ShopTests.order(25, [(25, 5), (101, 1), (25, 4)], paying: 24_500)
        let id = try #require(try order(two).orderID)
        #expect(try shop.stock(25) == 0)
        #expect(
            try shop.pairs("SELECT product_id, quantity FROM orders_item WHERE order_id = \(id)")
                == [25: 9, 101: 1])
        try expectProblem(
            try order(ShopTests.order(2, [(101, 600), (101, 600)], paying: 2_400_000)), 409,
            "OUT_OF_STOCK")
        #expect(try books.discrepancies() == [])
    }

    @Test func `an unknown product is said so, whatever its number`() throws {
        for id in ["1", "0", "-25", "99999999999999999999", "-1e30"] {
            let body = """
                [{"user_id": 25, "products": [{"id": \(id), "quantity": 1}], "paymentAmount": 1}]
                """
            try expectProblem(
                try order(body), 404, "PRODUCT_NOT_FOUND", "해당 상품이 존재하지 않습니다.", "\(id)")
        }
    }

    @Test func `an unknown user is said so, whatever the number`() throws {
        for id in ["101", "0", "-25", "99999999999999999999", "-1e30"] {
            let body = """
                [{"user_id": \(id), "products": [{"id": 101, "quantity": 1}], \
                "paymentAmount": 2000}]
                """
            try expectProblem(
                try order(body), 404, "USER_NOT_FOUND", "해당 유저가 존재하지 않습니다.", "\(id)")
        }
    }

    @Test func `another sum than the products cost is refused with the right one`() throws {
        for amount in [9_999, 10_001, 0, -10_000, Int.max] {
            let body = ShopTests.order(25, [(101, 2), (102, 3)], paying: amount)
            let problem = try expectProblem(
                try order(body), 400, "PRICE_MISMATCH", "결제 요청 가격과 상품 총합 가격이 일치하지 않습니다")
            #expect(problem.expected == 10_000)
        }
        #expect(try shop.points(25) == 100_000)
    }

    @Test func `every short line is listed, in the order of the request`() throws {
        let body = ShopTests.order(
            25, [(30, 2), (101, 1), (25, 10)], paying: 13_000 + 2_000 + 25_000)
        let answer = try order(body)
        let problem = try expectProblem(answer, 409, "OUT_OF_STOCK", "품절된 상품이 존재합니다.")
        #expect(
            problem.items == [
                .init(id: 30, requested: 2, available: 0),
                .init(id: 25, requested: 10, available: 9),
            ])
        #expect(
            answer.text.contains(
                #""items": [{"id": 30, "requested": 2, "available": 0}, {"id": 25, "#))
        #expect(try books.discrepancies() == [])
        #expect(try shop.hasExactly([]))
    }

    @Test func `the largest order of all is refused and breaks nothing`() throws {
        try shop.execute("UPDATE product SET price = 1000000000 WHERE id = 101")
        let lines = Array(repeating: (101, 1_000_000), count: 100)
        let total = 100_000_000 * 1_000_000_000
        try expectProblem(try order(ShopTests.order(25, lines, paying: total)), 409, "OUT_OF_STOCK")
        try shop.execute("UPDATE stock SET quantity = 1000000000 WHERE product_id = 101")
        try expectProblem(
            try order(ShopTests.order(25, lines, paying: total)), 409, "INSUFFICIENT_POINTS")
    }

    @Test func `too few points are refused and the last point can be spent`() throws {
        try expectProblem(
            try order(ShopTests.order(1, [(101, 1)], paying: 2_000)), 409, "INSUFFICIENT_POINTS",
            "결제 금액이 부족합니다.")
        #expect(try order(ShopTests.order(25, [(101, 50)], paying: 100_000)).status == 200)
        #expect(try shop.get("/api/v1/users/25").text == balance(of25: "0"))
        try expectProblem(
            try order(ShopTests.order(25, [(101, 1)], paying: 2_000)), 409, "INSUFFICIENT_POINTS")
        #expect(try books.discrepancies() == [])
    }

    @Test func `of several refusals the first of the documented order is said`() throws {
        // Each is wrong in all that follow it, too.
        for (lines, user, amount, code) in [
            ([(1, 0)], 0, -1, "MALFORMED_REQUEST"),
            ([(1, 1)], 0, -1, "USER_NOT_FOUND"),
            ([(25, 99), (1, 1)], 1, -1, "PRODUCT_NOT_FOUND"),
            ([(25, 99)], 1, 1, "PRICE_MISMATCH"),
            ([(25, 99)], 1, 247_500, "OUT_OF_STOCK"),
            ([(25, 9)], 1, 22_500, "INSUFFICIENT_POINTS"),
        ] {
            let answer = try order(ShopTests.order(user, lines, paying: amount))
            #expect(answer.code == code, "\(answer.text)")
        }
        #expect(try books.discrepancies() == [])
    }

    @Test func `one to a hundred lines of one to a million units are an order`() throws {
        try shop.execute("UPDATE users SET point = 1000000000000 WHERE id = 25")
        try shop.execute("UPDATE stock SET quantity = 2000000 WHERE product_id = 101")
        let hundred = Array(repeating: (101, 1), count: 100)
        for (lines, isOrder) in [
            ([(101, 1)], true), ([(101, 1_000_000)], true), (hundred, true), ([], false),
            (hundred + [(101, 1)], false), ([(101, 0)], false), ([(101, -1)], false),
            ([(101, 1_000_001)], false),
        ] {
            let units = lines.reduce(0) { $0 + $1.1 }
            let answer = try order(ShopTests.order(25, lines, paying: units * 2_000))
            if isOrder {
                #expect(answer.status == 200, "\(lines.count) lines, \(units) units")
            } else {
                try expectProblem(answer, 400, "MALFORMED_REQUEST")
            }
        }
    }

    @Test func `an order may be sent without the array`() throws {
        let body = ShopTests.order(25, [(101, 1)], paying: 2_000)
        let answer = try order(String(body.dropFirst().dropLast()))
        #expect(answer.status == 200)
        #expect(answer.text == #"[{"orderId": "1"}]"#)
    }
}
