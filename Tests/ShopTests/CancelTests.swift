import Synchronization
import Testing

@Suite struct Canceling {
    private let shop: Shop
    private let books: Books

    init() throws {
        shop = try Shop()
        books = try Books(shop)
    }

    private func ordered(_ user: Int = 25, _ lines: [(Int, Int)] = [(101, 2)]) throws -> Int {
        let units = lines.reduce(0) { $0 + $1.1 }
        let answer = try shop.post("/api/v1/orders", order(user, lines, paying: units * 2_000))
        return try #require(answer.orderID, "\(answer.text)")
    }

    private func cancel(_ order: Int, key: String? = "k", body: String = "") throws -> Answer {
        try shop.post("/api/v1/orders/\(order)/cancel", body, key: key)
    }

    private func canceled(_ order: Int) -> String {
        #"[{"orderId": "\#(order)", "status": "CANCELED"}]"#
    }

    @Test func `a canceled order gives everything back and says so everywhere`() throws {
        let id = try ordered(25, [(101, 2), (102, 3)])
        let answer = try cancel(id)
        #expect(answer.status == 200)
        #expect(answer.text == canceled(id))
        #expect(answer["Content-Type"] == "application/json")
        #expect(answer["Cache-Control"] == "no-store")
        #expect(try shop.get("/api/v1/users/25").text == balance(of25: "100,000"))
        for product in [101, 102] {
            let document = try shop.get("/products/\(product)").decoded([ProductDocument].self)
            #expect(document[0].stock == 1_000)
        }
        let text = try shop.get("/api/v1/orders/\(id)").text
        #expect(text.contains(#""status": "CANCELED""#))
        #expect(
            try shop.number(
                """
                SELECT COUNT(*) FROM payment_history WHERE order_id = \(id) AND user_id = 25
                AND total_price = 10000 AND pay_method = 'POINT' AND status = 'REFUNDED'
                """) == 1)
        #expect(try books.discrepancies() == [])
    }

    @Test func `a canceled order is not canceled again`() throws {
        let id = try ordered()
        #expect(try cancel(id, key: "a").status == 200)
        try expectProblem(
            try cancel(id, key: "b"), 409, "ORDER_NOT_CANCELABLE", "This order cannot be canceled.")
        // A refused request leaves its key free, and changes nothing.
        #expect(try shop.number("SELECT COUNT(*) FROM idempotency_key") == 1)
        #expect(try books.discrepancies() == [])
    }

    @Test func `there is no cancel without a key, and none of an order that is not there`() throws {
        let id = try ordered()
        try expectProblem(
            try cancel(id, key: nil), 400, "IDEMPOTENCY_KEY_MISSING", "멱등성 키가 누락되었습니다.")
        try expectProblem(try cancel(id, key: "a b"), 400, "MALFORMED_REQUEST")
        for number in ["0", "-1", "x", "\(id + 1)", "99999999999999999999", "+1"] {
            for key in ["k", nil] {
                let answer = try shop.post("/api/v1/orders/\(number)/cancel", "", key: key)
                if key == nil {
                    try expectProblem(answer, 400, "IDEMPOTENCY_KEY_MISSING")
                } else {
                    try expectProblem(answer, 404, "ORDER_NOT_FOUND", "There is no such order.")
                }
            }
        }
        #expect(try shop.points(25) == 96_000)
    }

    @Test func `a repeated cancel gets the first answer, with memcached and without`() throws {
        let id = try ordered()
        let first = try cancel(id)
        #expect(first.status == 200 && !first.isReplayed)
        let again = try cancel(id)
        try shop.flushMemcached()
        let flushed = try cancel(id)
        shop.killMemcached()
        let dead = try cancel(id)
        for answer in [again, flushed, dead] {
            #expect(answer.status == 200 && answer.body == first.body && answer.isReplayed)
        }
        try expectProblem(try cancel(id, body: "[{}]"), 422, "IDEMPOTENCY_KEY_REUSED")
        #expect(try shop.points(25) == 100_000)
        #expect(try books.discrepancies() == [])
    }

    @Test func `a key belongs to one order, and is neither an order's nor a charge's`() throws {
        let ids = try (1...3).map { _ in try ordered() }
        let body = order(25, [(101, 1)], paying: 2_000)
        #expect(try shop.post("/api/v1/orders", body, key: "k").status == 200)
        #expect(try shop.post("/api/v1/users/25/charge", charge(1_000), key: "k").status == 200)
        for flushes in [false, true] {
            if flushes { try shop.flushMemcached() }
            for id in ids {
                let answer = try cancel(id)
                #expect(answer.text == canceled(id))
                #expect(answer.isReplayed == flushes)
            }
        }
        #expect(try shop.points(25) == 99_000)
    }

    @Test func `while a cancel is being handled its key is 409`() throws {
        let shop = shop
        let id = try ordered()
        let first = try shop.holding("SELECT * FROM users WHERE id = 25 FOR UPDATE") {
            let first = Beside {
                try shop.newClient().post("/api/v1/orders/\(id)/cancel", "", key: "k")
            }
            try shop.waitForBlockedSession()
            try expectProblem(try cancel(id), 409, "REQUEST_IN_PROGRESS", "이미 처리중인 요청입니다.")
            return first
        }
        #expect(try first.value().status == 200)
        #expect(try cancel(id).isReplayed)
        #expect(try books.discrepancies() == [])
    }

    @Test(arguments: [true, false])
    func `fifty cancels at once with one key are one`(hasMemcached: Bool) throws {
        if !hasMemcached { shop.killMemcached() }
        let id = try ordered()
        let answers = try shop.crowd(50, threads: 50) { client, _ in
            try client.post("/api/v1/orders/\(id)/cancel", "", key: "k")
        }
        #expect(answers.count { $0.status == 200 && !$0.isReplayed } == 1)
        #expect(answers.allSatisfy { $0.isReplayed || [200, 409, 503].contains($0.status) })
        #expect(answers.allSatisfy { $0.code != "ORDER_NOT_CANCELABLE" })
        #expect(try cancel(id).text == canceled(id))
        #expect(try books.discrepancies() == [])
    }

    @Test func `a canceled order leaves the best sellers`() throws {
        let id = try ordered(25, [(105, 16)])
        let sold = "SELECT quantity FROM sale_window WHERE product_id = 105"
        #expect(try shop.number(sold) == 22)
        #expect(try cancel(id).status == 200)
        #expect(try shop.number(sold) == 6)
        let list = try eventually(within: 20, pauseMilliseconds: 50) { () -> Bool? in
            let sellers = try shop.get("/products/popular").decoded([SellerDocument].self)
            return sellers.last == SellerDocument(id: 105, sale_count: 6) ? true : nil
        }
        #expect(list != nil)
        #expect(try books.discrepancies() == [])
    }
}

/// Orders and cancels at once, for each way in which the ledger can be set to commit.
@Suite struct CancelStorms {
    @Test(arguments: RacesOfEachLedger.Ledger.allCases)
    func `of many cancels at once each order is canceled once`(
        ledger: RacesOfEachLedger.Ledger
    ) throws {
        let shop = try Shop(ledger.settings)
        try shop.execute("UPDATE stock SET quantity = 60 WHERE product_id = 101")
        let books = try Books(shop)
        let orders = try shop.crowd(40, threads: 16) { client, number in
            try client.post("/api/v1/orders", order(2 + number % 10, [(101, 1)], paying: 2_000))
        }
        let ids = orders.compactMap(\.orderID)
        #expect(ids.count == 40)
        // Each order is canceled twice by different keys, while others are placed; and these, too, are
        // canceled as soon as anybody knows their numbers.
        let fresh = Mutex<[Int]>([])
        let attempts = ledger == .group ? 1 : 20  // The others may run out of time, and say so.
        let answers = try shop.crowd(160, threads: 16) { client, number in
            switch number % 4 {
            case 0:
                let body = order(2 + number % 9, [(101, 1), (102, 1)], paying: 4_000)
                let answer = try client.insist(
                    "/api/v1/orders", body, key: "key-\(number)", attempts)
                if let id = answer.orderID { fresh.withLock { $0.append(id) } }
                return answer
            case 1: return try cancel((fresh.withLock { $0.randomElement() }) ?? ids[0], number)
            default: return try cancel(ids[number / 4], number)
            }
            func cancel(_ id: Int, _ key: Int) throws -> Answer {
                try client.insist("/api/v1/orders/\(id)/cancel", "", key: "key-\(key)", attempts)
            }
        }
        let canceled = answers.filter { $0.text.contains(#""status": "CANCELED""#) }
        #expect(Set(canceled.map(\.text)).count == canceled.count)
        #expect(answers.count { $0.code == "ORDER_NOT_CANCELABLE" } == 120 - canceled.count)
        #expect(ids.allSatisfy { id in canceled.contains { $0.text.contains("\"\(id)\"") } })
        let others = answers.enumerated().filter { $0.offset % 4 == 0 }.map(\.element)
        #expect(others.allSatisfy { $0.orderID != nil || $0.code == "OUT_OF_STOCK" })
        #expect(
            try shop.number("SELECT COUNT(*) FROM orders WHERE status = 'CANCELED'")
                == Int64(canceled.count))
        #expect(try shop.hasExactly(ids + others.compactMap(\.orderID)))
        #expect(try books.discrepancies() == [])
    }
}

extension Client {
    /// Sends it again while the ledger has no time for it, as clients should.
    fileprivate func insist(
        _ path: String, _ body: String, key: String, _ attemptsMax: Int
    ) throws -> Answer {
        var answer = try post(path, body, key: key)
        for _ in 1..<attemptsMax where answer.status == 503 {
            answer = try post(path, body, key: key)
        }
        return answer
    }
}
