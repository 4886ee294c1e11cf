import Testing

@Suite struct Reading {
    private let shop: Shop

    init() throws { shop = try Shop() }

    @Test func `the balance is the documentation's`() throws {
        let answer = try shop.get("/api/v1/users/25")
        #expect(answer.status == 200)
        #expect(answer.text == balance(of25: "100,000"))
        #expect(answer["Content-Type"] == "application/json")
        #expect(answer["Cache-Control"] == "no-store")
    }

    @Test func `points are written with a separator at every third digit`() throws {
        for (points, text) in [
            (0, "0"), (999, "999"), (1_000, "1,000"), (123_456, "123,456"),
            (1_000_000, "1,000,000"), (1_000_000_000_000_000, "1,000,000,000,000,000"),
        ] {
            try shop.execute("UPDATE users SET point = \(points) WHERE id = 25")
            #expect(try shop.get("/api/v1/users/25").text == balance(of25: text))
        }
    }

    @Test func `a name with every kind of character comes out as JSON`() throws {
        try shop.execute(
            #"UPDATE users SET name = '"\\\\/\n\t한🙂', hp_no = '' WHERE id = 25"#)
        let answer = try shop.get("/api/v1/users/25")
        #expect(answer.text == balance(25, #"\"\\\\/\u000a\u0009한🙂"#, "", "100,000"))
    }

    @Test func `there is no balance of nobody`() throws {
        for id in ["101", "0", "-1", "abc", "+25", "2.5", "1e1", "９", "99999999999999999999"] {
            try expectProblem(
                try shop.get("/api/v1/users/\(id)"), 404, "USER_NOT_FOUND", "존재하지 않는 유저입니다.",
                "\(id)")
        }
        try shop.execute("UPDATE users SET is_delete = TRUE WHERE id = 25")
        try expectProblem(try shop.get("/api/v1/users/25"), 404, "USER_NOT_FOUND")
    }

    @Test func `the product is the documentation's on both paths`() throws {
        for path in ["/products/25", "/api/v1/products/25", "/products/25?a=b"] {
            let answer = try shop.get(path)
            #expect(answer.status == 200)
            #expect(
                answer.text
                    == #"[{"id": 25, "name": "빽다방 아메리카노", "price": 2500, "stock": 9}]"#)
            #expect(answer["Content-Type"] == "application/json")
        }
    }

    @Test func `text, zero, negative and unknown products are one and the same refusal`() throws {
        for id in ["abc", "0", "-25", "24", "25x", "+25", "2.5", "99999999999999999999"] {
            for path in ["/products/\(id)", "/api/v1/products/\(id)"] {
                try expectProblem(
                    try shop.get(path), 400, "INVALID_PRODUCT_ID", "잘못된 상품 번호입니다.", "\(path)")
            }
        }
        try shop.execute("UPDATE product SET is_delete = TRUE WHERE id = 105")
        try expectProblem(try shop.get("/products/105"), 400, "INVALID_PRODUCT_ID")
    }

    @Test func `a product that has not changed is 304`() throws {
        let first = try shop.get("/products/101")
        let tag = try #require(first["ETag"])
        #expect(tag.hasPrefix("\"") && tag.hasSuffix("\"") && tag.utf8.count > 2)
        for condition in [tag, "W/\(tag)", "*", "\"other\", \(tag)", "\"a\",\(tag) , \"b\""] {
            let answer = try shop.get("/products/101", ["If-None-Match": condition])
            #expect(answer.status == 304, "\(condition)")
            #expect(answer["ETag"] == tag)
            #expect(answer.body.isEmpty)
            #expect(answer["Content-Length"] == first["Content-Length"])
        }
        for condition in ["\"other\"", "W/\"other\"", "", tag.uppercased() + "x"] {
            let answer = try shop.get("/products/101", ["If-None-Match": condition])
            #expect(answer.status == 200, "\(condition)")
            #expect(answer.body == first.body)
        }
    }

    @Test func `a sale changes the product's tag`() throws {
        let tag = try #require(try shop.get("/products/101")["ETag"])
        #expect(
            try shop.post("/api/v1/orders", order(25, [(101, 1)], paying: 2_000)).status == 200)
        let answer = try shop.get("/products/101", ["If-None-Match": tag])
        #expect(answer.status == 200)
        #expect(try answer.decoded([ProductDocument].self)[0].stock == 999)
        #expect(answer["ETag"] != tag)
    }

    @Test func `the best sellers are the documentation's on both paths`() throws {
        let list = """
            [{"id": 101, "name": "양배추 샐러드", "sale_count": 20}, \
            {"id": 102, "name": "단호박 샐러드", "sale_count": 18}, \
            {"id": 103, "name": "버섯 샐러드", "sale_count": 10}, \
            {"id": 104, "name": "감자 샐러드", "sale_count": 8}, \
            {"id": 105, "name": "오이 샐러드", "sale_count": 6}]
            """
        for path in ["/products/popular", "/api/v1/products/popular", "/products/popular?x=1"] {
            let answer = try shop.get(path)
            #expect(answer.status == 200)
            #expect(answer.text == list)
            #expect(answer["Content-Type"] == "application/json")
        }
    }

    @Test func `HEAD answers as GET does, without the body`() throws {
        for path in ["/products/popular", "/products/25", "/api/v1/users/25", "/livez", "/readyz"] {
            let head = try shop.request("HEAD", path)
            let get = try shop.get(path)
            #expect(head.status == 200 && get.status == 200)
            #expect(head["Content-Length"] == get["Content-Length"], "\(path)")
            #expect(head["Content-Type"] == get["Content-Type"])
            #expect(head["ETag"] == get["ETag"])
        }
        let unknown = try shop.request("HEAD", "/nowhere")
        #expect(unknown.status == 404)
        // Had a body followed, the connection would be out of step.
        #expect(try shop.get("/livez").status == 200)
    }
}
