import Testing

/// Orders, payments and products in parts.
@Suite struct Lists {
    private struct OrderItem: Decodable, Equatable {
        let orderId: String
        let status: String
        let totalPrice: Int
    }

    private struct PaymentItem: Decodable {
        let paymentId: String
        let orderId: String?
        let payMethod: String
        let status: String
        let totalPrice: Int
    }

    private struct ProductItem: Decodable {
        let id: Int
        let name: String
    }

    private let shop: Shop

    init() throws { shop = try Shop() }

    private func place(_ count: Int, _ user: Int = 25) throws -> [Int] {
        try (0..<count).map { _ in
            let answer = try shop.post("/api/v1/orders", order(user, [(101, 1)], paying: 2_000))
            return try #require(answer.orderID)
        }
    }

    /// The address of the next part, which the header names.
    private func next(_ answer: Answer) throws -> String? {
        guard let link = answer["Link"] else { return nil }
        let (opening, closing) = ("<", #">; rel="next""#)
        try #require(link.hasPrefix(opening) && link.hasSuffix(closing), "\(link)")
        return String(link.dropFirst(opening.count).dropLast(closing.count))
    }

    /// All items from an address on.
    ///
    /// - Parameter between: done after each part.
    private func all<Item: Decodable>(
        _ path: String, of type: Item.Type, between: () throws -> Void = {}
    ) throws -> [Item] {
        var items: [Item] = []
        var path: String? = path
        while let part = path {
            let answer = try shop.get(part)
            #expect(answer.status == 200, "\(part): \(answer.text)")
            items += try answer.decoded([Item].self)
            path = try next(answer)
            try between()
        }
        return items
    }

    /// A document without its moment, which no test knows.
    private func timeless(_ text: String) -> String {
        text.split(separator: #""createdAt": ""#, omittingEmptySubsequences: false).enumerated()
            .map { $0.offset == 0 ? $0.element : $0.element.drop { $0 != "\"" } }
            .joined(separator: #""createdAt": ""#)
    }

    @Test func `an order is shown as it was placed`() throws {
        let body = order(25, [(102, 2), (101, 1)], paying: 6_000)
        #expect(try shop.post("/api/v1/orders", body).orderID == 1)
        try shop.execute("UPDATE product SET price = 9, version = version + 1 WHERE id = 101")
        try shop.execute("UPDATE orders SET created_at = '2026-01-02 03:04:05.678901'")
        let answer = try shop.get("/api/v1/orders/1")
        #expect(answer.status == 200)
        #expect(
            answer.text == """
                [{"orderId": "1", "userId": 25, "status": "PAID", "totalPrice": 6000, \
                "products": [{"id": 101, "name": "양배추 샐러드", "quantity": 1, "price": 2000}, \
                {"id": 102, "name": "단호박 샐러드", "quantity": 2, "price": 2000}], \
                "createdAt": "2026-01-02T03:04:05Z"}]
                """)
        #expect(answer["Content-Type"] == "application/json")
        #expect(answer["Cache-Control"] == "no-store")
        #expect(try shop.get("/api/v1/users/25/orders").text == answer.text)
        for number in ["2", "0", "-1", "x", "99999999999999999999"] {
            try expectProblem(
                try shop.get("/api/v1/orders/\(number)"), 404, "ORDER_NOT_FOUND",
                "There is no such order.")
        }
    }

    @Test func `payments are shown with what they were for`() throws {
        #expect(
            try shop.post("/api/v1/users/25/charge", charge(5_000), key: "k").status == 200)
        let id = try place(1)[0]
        #expect(try shop.post("/api/v1/orders/\(id)/cancel", "", key: "k").status == 200)
        let answer = try shop.get("/api/v1/users/25/payments")
        #expect(answer["Cache-Control"] == "no-store")
        #expect(
            timeless(answer.text) == """
                [{"paymentId": "3", "userId": 25, "orderId": "1", "payMethod": "POINT", \
                "status": "REFUNDED", "totalPrice": 2000, "createdAt": ""}, \
                {"paymentId": "2", "userId": 25, "orderId": "1", "payMethod": "POINT", \
                "status": "COMPLETED", "totalPrice": 2000, "createdAt": ""}, \
                {"paymentId": "1", "userId": 25, "payMethod": "CHARGE", \
                "status": "COMPLETED", "totalPrice": 5000, "createdAt": ""}]
                """)
    }

    @Test func `no order is shown twice or left out while orders are added`() throws {
        let ids = try place(11)
        _ = try place(2, 26)
        let shown = try all("/api/v1/users/25/orders?limit=3", of: OrderItem.self) {
            _ = try place(2)
        }
        #expect(shown.map(\.orderId) == ids.reversed().map { "\($0)" })
        let payments = try all("/api/v1/users/25/payments?limit=4", of: PaymentItem.self) {
            _ = try place(1)
        }
        #expect(Set(payments.map(\.paymentId)).count == payments.count)
        #expect(payments.count == 19)
        #expect(payments.compactMap { $0.orderId.flatMap { Int($0) } }.allSatisfy { $0 > 0 })
    }

    @Test func `a list has twenty items unless another limit is asked for`() throws {
        #expect(try shop.get("/api/v1/users/25/orders").text == "[]")
        #expect(try shop.get("/api/v1/users/25/payments").text == "[]")
        _ = try place(21)
        for (query, count, hasMore) in [
            ("", 20, true), ("?limit=1", 1, true), ("?limit=21", 21, false),
            ("?limit=100", 21, false), ("?limit=20&unknown=%zz", 20, true),
        ] {
            for list in ["orders", "payments"] {
                let answer = try shop.get("/api/v1/users/25/\(list)\(query)")
                #expect(try answer.decoded([PaymentOrOrder].self).count == count, "\(query)")
                #expect(try (next(answer) != nil) == hasMore, "\(query)")
            }
        }
    }

    private struct PaymentOrOrder: Decodable {}

    @Test func `there is no list of nobody`() throws {
        for user in ["101", "0", "x"] {
            for list in ["orders", "payments"] {
                try expectProblem(
                    try shop.get("/api/v1/users/\(user)/\(list)"), 404, "USER_NOT_FOUND",
                    "존재하지 않는 유저입니다.")
            }
        }
    }

    @Test func `a wrong limit or cursor is malformed`() throws {
        _ = try place(2)
        let first = try shop.get("/api/v1/users/25/orders?limit=1")
        let link = try #require(try next(first))
        let cursor = String(try #require(link.split(separator: "cursor=").last))
        #expect(try shop.get("/api/v1/users/25/orders?cursor=\(cursor)").status == 200)
        let wrong = [
            "limit=0", "limit=101", "limit=-1", "limit=", "limit=1x", "limit=1.5", "limit=+1",
            "limit=99999999999999999999", "limit=1&limit=1", "limit=%FF", "limit=%4", "cursor=",
            "cursor=1", "cursor=\(cursor)x", "cursor=x\(cursor)", "cursor=\(cursor)%3D",
            "cursor=\(cursor)&cursor=\(cursor)", "cursor=%00", "cursor=%ED%95%9C",
        ]
        for query in wrong {
            for path in ["users/25/orders", "users/25/payments", "products"] {
                try expectProblem(
                    try shop.get("/api/v1/\(path)?\(query)"), 400, "MALFORMED_REQUEST", nil,
                    "\(path)?\(query)")
            }
        }
        for path in ["users/26/orders", "users/25/payments", "products", "products?q=a"] {
            let separator = path.contains("?") ? "&" : "?"
            try expectProblem(
                try shop.get("/api/v1/\(path)\(separator)cursor=\(cursor)"), 400,
                "MALFORMED_REQUEST", nil, "\(path)")
        }
    }

    @Test func `products are listed by number`() throws {
        let expected = [25, 26, 27, 28, 29, 30, 101, 102, 103, 104, 105, 106, 107, 108]
        for limit in [1, 4, 14, 100] {
            let items = try all("/api/v1/products?limit=\(limit)", of: ProductItem.self)
            #expect(items.map(\.id) == expected)
        }
        let answer = try shop.get("/api/v1/products?limit=1")
        #expect(
            answer.text == #"[{"id": 25, "name": "빽다방 아메리카노", "price": 2500, "stock": 9}]"#)
        try shop.execute("UPDATE product SET is_delete = TRUE WHERE id = 26")
        try shop.execute("UPDATE stock SET is_delete = TRUE WHERE product_id = 27")
        let items = try all("/api/v1/products?limit=2", of: ProductItem.self)
        #expect(items.map(\.id) == expected.filter { ![26, 27].contains($0) })
    }

    @Test func `products are found by the beginning of their names`() throws {
        try shop.execute(
            """
            INSERT INTO product (id, name, price) VALUES (1, '100% 주스', 1), (2, '100_ 주스', 1),
            (3, 'Tea', 1), (4, 'tea', 1), (5, 'TEA with milk', 1), (6, '!', 1), (7, 'a\\\\b', 1)
            """)
        try shop.execute(
            "INSERT INTO stock (product_id, quantity) SELECT id, 1 FROM product WHERE id < 10")
        for (query, ids) in [
            ("%EB%8B%A8", [102]), ("단호박+샐러드", [102]), ("샐러드", []), ("100%25", [1]),
            ("100_", [2]), ("%25", []), ("_", []), ("!", [6]), ("a%5C", [7]), ("tea", [3, 4, 5]),
            ("Tea%20w", [5]), ("%27", []),
        ] {
            for limit in [1, 100] {
                let encoded = query.utf8.map { byte in
                    byte < 0x80 ? String(Unicode.Scalar(byte)) : "%" + String(byte, radix: 16)
                }.joined()
                let items = try all(
                    "/api/v1/products?q=\(encoded)&limit=\(limit)", of: ProductItem.self)
                #expect(items.map(\.id) == ids, "\(query)")
            }
        }
        let longest = String(repeating: "a", count: 100)
        #expect(try shop.get("/api/v1/products?q=\(longest)").text == "[]")
        for query in ["", longest + "a", "%FF", "a&q=b"] {
            try expectProblem(
                try shop.get("/api/v1/products?q=\(query)"), 400, "MALFORMED_REQUEST")
        }
    }

    @Test func `the longest names fit an address`() throws {
        let name = String(repeating: "🙂", count: 200)
        for id in 1...2 {
            try shop.execute("INSERT INTO product (id, name, price) VALUES (\(id), '\(name)', 1)")
            try shop.execute("INSERT INTO stock (product_id, quantity) VALUES (\(id), 1)")
        }
        let prefix = String(repeating: "%F0%9F%99%82", count: 100)
        let items = try all("/api/v1/products?q=\(prefix)&limit=1", of: ProductItem.self)
        #expect(items.map(\.id) == [1, 2])
    }
}
