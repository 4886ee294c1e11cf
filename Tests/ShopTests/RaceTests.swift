import Testing

/// The customer's races: whatever comes at once, each unit is sold once and each point spent once.
@Suite struct Races {
    private let shop: Shop
    private let books: Books

    init() throws {
        shop = try Shop()
        books = try Books(shop)
    }

    /// Expects that each answered order is in the database and nothing else is.
    private func expectSound(_ answers: [Answer]) throws {
        #expect(answers.allSatisfy { $0.status == 200 || $0.status == 409 })
        #expect(try shop.hasExactly(answers.compactMap(\.orderID)))
        #expect(try books.discrepancies() == [])
    }

    @Test func `a hundred orders for a stock of a hundred all succeed`() throws {
        try shop.execute("UPDATE stock SET quantity = 100 WHERE product_id = 101")
        let books = try Books(shop)
        let answers = try shop.crowd(100) { client, number in
            try client.post("/api/v1/orders", order(1 + number, [(101, 1)], paying: 2_000))
        }
        // User 1 has no points; everybody else gets one.
        #expect(answers.count { $0.status == 200 } == 99)
        #expect(answers[0].code == "INSUFFICIENT_POINTS")
        let last = try shop.post("/api/v1/orders", order(25, [(101, 1)], paying: 2_000))
        #expect(last.status == 200)
        #expect(try shop.stock(101) == 0)
        #expect(try shop.get("/products/101").decoded([ProductDocument].self)[0].stock == 0)
        #expect(try shop.points(25) == 96_000)
        #expect(try shop.points(26) == 98_000)
        #expect(try shop.hasExactly((answers + [last]).compactMap(\.orderID)))
        #expect(try books.discrepancies() == [])
    }

    @Test func `one buyer's fifty-one orders for fifty leave one refused`() throws {
        try shop.execute("UPDATE stock SET quantity = 50 WHERE product_id = 101")
        let books = try Books(shop)
        let answers = try shop.crowd(51) { client, _ in
            try client.post("/api/v1/orders", order(25, [(101, 1)], paying: 2_000))
        }
        #expect(answers.count { $0.status == 200 } == 50)
        let refused = try #require(answers.first { $0.status != 200 })
        #expect(refused.code == "OUT_OF_STOCK")
        #expect(try shop.stock(101) == 0)
        #expect(try shop.points(25) == 0)
        #expect(try shop.hasExactly(answers.compactMap(\.orderID)))
        #expect(try books.discrepancies() == [])
    }

    @Test func `a hundred buyers cannot buy eleven of ten`() throws {
        try shop.execute("UPDATE stock SET quantity = 10 WHERE product_id = 101")
        let books = try Books(shop)
        let answers = try shop.crowd(99, threads: 64) { client, number in
            try client.post("/api/v1/orders", order(2 + number, [(101, 1)], paying: 2_000))
        }
        #expect(answers.count { $0.status == 200 } == 10)
        #expect(answers.count { $0.code == "OUT_OF_STOCK" } == 89)
        #expect(try shop.stock(101) == 0)
        #expect(try shop.hasExactly(answers.compactMap(\.orderID)))
        #expect(try books.discrepancies() == [])
    }

    @Test func `carts in opposite order do not stop each other`() throws {
        let answers = try shop.crowd(120) { client, number in
            let lines = number.isMultiple(of: 2) ? [(101, 1), (102, 1)] : [(102, 1), (101, 1)]
            return try client.post(
                "/api/v1/orders", order(2 + number % 10, lines, paying: 4_000))
        }
        #expect(answers.count { $0.status == 200 } == 120)
        #expect(try shop.stock(101) == 880)
        #expect(try shop.stock(102) == 880)
        try expectSound(answers)
    }

    @Test func `the same points are spent once`() throws {
        try shop.execute("UPDATE users SET point = 10000 WHERE id IN (25, 26)")
        let books = try Books(shop)
        let answers = try shop.crowd(20, threads: 20) { client, number in
            try client.post(
                "/api/v1/orders", order(25 + number % 2, [(101 + number % 5, 1)], paying: 2_000))
        }
        #expect(answers.count { $0.status == 200 } == 10)
        #expect(answers.count { $0.code == "INSUFFICIENT_POINTS" } == 10)
        #expect(try shop.points(25) == 0)
        #expect(try shop.points(26) == 0)
        #expect(try shop.hasExactly(answers.compactMap(\.orderID)))
        #expect(try books.discrepancies() == [])
    }

    @Test func `charging and spending at once add up`() throws {
        let answers = try shop.crowd(200) { client, number in
            if number.isMultiple(of: 2) {
                return try client.post(
                    "/api/v1/users/25/charge", charge(1_000), key: "charge-\(number)")
            }
            return try client.post("/api/v1/orders", order(25, [(101, 1)], paying: 2_000))
        }
        let sold = answers.compactMap(\.orderID).count
        // 100,000 points and up to 100,000 more for orders of 200,000 in all.
        #expect((50...100).contains(sold))
        #expect(try shop.points(25) == Int64(200_000 - sold * 2_000))
        try expectSound(answers)
    }

    @Test func `two responders on one database sell no unit twice`() throws {
        try shop.execute("UPDATE stock SET quantity = 60 WHERE product_id = 101")
        let books = try Books(shop)
        // nginx keeps connections to the first, and opens new ones to the second.
        _ = try shop.crowd(8, threads: 8) { client, _ in try client.get("/products/101") }
        let first = shop.commerce
        try shop.startSuccessor()
        let answers = try shop.crowd(99) { client, number in
            try client.post("/api/v1/orders", order(2 + number, [(101, 1)], paying: 2_000))
        }
        #expect(first.ended == nil)
        #expect(answers.count { $0.status == 200 } == 60)
        #expect(answers.count { $0.code == "OUT_OF_STOCK" } == 39)
        #expect(try shop.hasExactly(answers.compactMap(\.orderID)))
        #expect(try books.discrepancies() == [])
    }
}

/// The races once more, for each way in which the ledger can be set to commit.
@Suite struct RacesOfEachLedger {
    enum Ledger: String, CaseIterable {
        case group, version
        case forUpdate = "for-update"

        /// Several lanes, where there are lanes.
        var settings: [String: String] {
            ["COMMERCE_LEDGER": rawValue, "COMMERCE_LEDGER_LANES": "4"]
        }
    }

    @Test(arguments: Ledger.allCases)
    func `fifty are sold of fifty and fifty points are spent of fifty`(ledger: Ledger) throws {
        let shop = try Shop(ledger.settings)
        try shop.execute("UPDATE stock SET quantity = 50 WHERE product_id = 101")
        let books = try Books(shop)
        let answers = try shop.crowd(60, threads: 16) { client, number in
            try client.post("/api/v1/orders", order(2 + number, [(101, 1)], paying: 2_000))
        }
        #expect(answers.count { $0.status == 200 } == 50)
        #expect(answers.count { $0.code == "OUT_OF_STOCK" } == 10)
        let spending = try shop.crowd(60, threads: 16) { client, number in
            try client.post("/api/v1/orders", order(90, [(102 + number % 4, 1)], paying: 2_000))
        }
        #expect(spending.count { $0.code == "INSUFFICIENT_POINTS" } == 10)
        #expect(spending.allSatisfy { [200, 409].contains($0.status) })
        #expect(try shop.hasExactly((answers + spending).compactMap(\.orderID)))
        #expect(try books.discrepancies() == [])
    }

    @Test(arguments: Ledger.allCases)
    func `carts in opposite order and charges all get through`(ledger: Ledger) throws {
        let shop = try Shop(ledger.settings)
        let books = try Books(shop)
        let answers = try shop.crowd(80, threads: 16) { client, number in
            let user = 2 + number % 10
            if number % 4 == 0 {
                return try client.post(
                    "/api/v1/users/\(user)/charge", charge(1_000), key: "key-\(number)")
            }
            let lines = number % 4 == 1 ? [(101, 1), (102, 1)] : [(102, 1), (101, 1)]
            return try client.post("/api/v1/orders", order(user, lines, paying: 4_000))
        }
        #expect(answers.count { $0.status == 200 } == 80)
        #expect(try shop.stock(101) == 940)
        #expect(try shop.stock(102) == 940)
        #expect(try shop.hasExactly(answers.compactMap(\.orderID)))
        #expect(try books.discrepancies() == [])
    }
}
