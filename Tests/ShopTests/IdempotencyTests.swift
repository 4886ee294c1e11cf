import Testing

/// The customer's six rules, for charges and for orders alike.
@Suite struct IdempotencyRules {
    /// A route that takes keys.
    enum Route: CaseIterable {
        case charge, order

        func path(_ user: Int) -> String {
            switch self {
            case .charge: "/api/v1/users/\(user)/charge"
            case .order: "/api/v1/orders"
            }
        }

        /// A request; `units` makes it another one.
        func body(_ user: Int, units: Int = 1) -> String {
            switch self {
            case .charge: ShopTests.charge(units * 1_000)
            case .order: ShopTests.order(user, [(101, units)], paying: units * 2_000)
            }
        }

        /// What one execution does to the user's points.
        var effect: Int64 {
            switch self {
            case .charge: 1_000
            case .order: -2_000
            }
        }
    }

    private let shop: Shop
    private let books: Books

    init() throws {
        shop = try Shop()
        books = try Books(shop)
    }

    private func send(
        _ route: Route, _ user: Int = 25, units: Int = 1, key: String
    ) throws -> Answer {
        try shop.post(route.path(user), route.body(user, units: units), key: key)
    }

    @Test(arguments: Route.allCases)
    func `a repeated request gets the first answer byte for byte`(route: Route) throws {
        let first = try send(route, key: "one")
        #expect(first.status == 200 && !first.isReplayed)
        // The world moves on; the answer does not.
        #expect(try send(route, key: "two").status == 200)
        for _ in 1...3 {
            let again = try send(route, key: "one")
            #expect(again.status == 200 && again.body == first.body)
            #expect(again["Idempotent-Replayed"] == "true")
            #expect(again["Content-Type"] == "application/json")
            #expect(again["Cache-Control"] == "no-store")
        }
        #expect(try shop.points(25) == 100_000 + 2 * route.effect)
        #expect(try books.discrepancies() == [])
    }

    @Test(arguments: Route.allCases)
    func `MariaDB knows the answer when memcached has forgotten it`(route: Route) throws {
        let first = try send(route, key: "one")
        try shop.flushMemcached()
        let flushed = try send(route, key: "one")
        shop.killMemcached()
        let dead = try send(route, key: "one")
        for again in [flushed, dead] {
            #expect(again.status == 200 && again.body == first.body && again.isReplayed)
        }
        try expectProblem(try send(route, units: 2, key: "one"), 422, "IDEMPOTENCY_KEY_REUSED")
        #expect(try shop.points(25) == 100_000 + route.effect)
    }

    @Test(arguments: Route.allCases)
    func `another request under the same key is 422`(route: Route) throws {
        #expect(try send(route, key: "one").status == 200)
        try expectProblem(try send(route, units: 2, key: "one"), 422, "IDEMPOTENCY_KEY_REUSED")
        try shop.flushMemcached()
        try expectProblem(try send(route, units: 2, key: "one"), 422, "IDEMPOTENCY_KEY_REUSED")
        #expect(try send(route, key: "one").isReplayed)
        #expect(try shop.points(25) == 100_000 + route.effect)
    }

    @Test func `a refused charge leaves its key free`() throws {
        let path = Route.charge.path(25)
        for body in [charge(999), charge(1_000_001), "[]"] {
            #expect(try shop.post(path, body, key: "one").status == 400)
        }
        #expect(try send(.charge, 101, key: "one").status == 404)
        let answer = try send(.charge, key: "one")
        #expect(answer.status == 200 && !answer.isReplayed)
    }

    @Test func `a refused order leaves its key free`() throws {
        for (body, status) in [
            (order(25, [(101, 1)], paying: 1), 400), (order(25, [(30, 1)], paying: 6_500), 409),
            (order(25, [(101, 51)], paying: 102_000), 409), (order(25, [(1, 1)], paying: 1), 404),
        ] {
            #expect(try shop.post("/api/v1/orders", body, key: "one").status == status)
        }
        #expect(try shop.number("SELECT COUNT(*) FROM idempotency_key") == 0)
        let answer = try send(.order, key: "one")
        #expect(answer.status == 200 && !answer.isReplayed)
        #expect(try books.discrepancies() == [])
    }

    @Test func `a key belongs to one user and one route`() throws {
        for route in Route.allCases {
            for user in [25, 26] {
                let answer = try send(route, user, key: "one")
                #expect(answer.status == 200 && !answer.isReplayed, "\(route) \(user)")
            }
        }
        #expect(try shop.points(25) == 99_000)
        #expect(try shop.points(26) == 99_000)
    }

    @Test func `keys differ to the letter's case`() throws {
        for key in ["a", "A", "a%00", "a'", "\"a\"", "a,b", "a\\"] {
            #expect(try send(.charge, key: key).isReplayed == false, "\(key)")
        }
        #expect(try shop.points(25) == 107_000)
    }

    @Test(arguments: Route.allCases)
    func `a key is 1 to 255 visible ASCII characters`(route: Route) throws {
        let longest = String(repeating: "k", count: 255)
        for key in ["!", "~", longest] {
            #expect(try send(route, key: key).status == 200)
            #expect(try send(route, key: key).isReplayed)
        }
        for key in [longest + "k", "a b", "a\tb", "키", "é", "a\u{7F}", "\u{1}", "a\u{1}b"] {
            try expectProblem(
                try send(route, key: key), 400, "MALFORMED_REQUEST", nil, "\(key.prefix(20))")
        }
        #expect(try shop.points(25) == 100_000 + 3 * route.effect)
    }

    @Test func `an order needs no key`() throws {
        let ids = try (1...2).map { _ in
            try shop.post(Route.order.path(25), Route.order.body(25)).orderID
        }
        #expect(ids == [1, 2])
        #expect(try shop.number("SELECT COUNT(*) FROM idempotency_key") == 0)
    }

    @Test(arguments: Route.allCases)
    func `while the first is being handled the same key is 409`(route: Route) throws {
        let shop = shop
        let first = try shop.holding("SELECT * FROM users WHERE id = 25 FOR UPDATE") {
            let first = Beside {
                try shop.newClient().post(route.path(25), route.body(25), key: "one")
            }
            try shop.waitForBlockedSession()
            let answer = try send(route, key: "one")
            try expectProblem(answer, 409, "REQUEST_IN_PROGRESS", "이미 처리중인 요청입니다.")
            #expect(answer["Retry-After"] == "1")
            return first
        }
        let answer = try first.value()
        #expect(answer.status == 200)
        let again = try send(route, key: "one")
        #expect(again.isReplayed && again.body == answer.body)
        #expect(try shop.points(25) == 100_000 + route.effect)
    }

    @Test(arguments: Route.allCases)
    func `fifty at once with one key are one execution`(route: Route) throws {
        let answers = try shop.crowd(50, threads: 50) { client, _ in
            try client.post(route.path(25), route.body(25), key: "one")
        }
        let executed = answers.filter { $0.status == 200 && !$0.isReplayed }
        #expect(executed.count == 1)
        for answer in answers where answer.status != 200 {
            try expectProblem(answer, 409, "REQUEST_IN_PROGRESS")
        }
        for answer in answers where answer.isReplayed {
            #expect(answer.body == executed.first?.body)
        }
        #expect(try shop.points(25) == 100_000 + route.effect)
        #expect(try books.discrepancies() == [])
    }

    @Test(arguments: Route.allCases)
    func `fifty at once with one key and no memcached are one execution`(route: Route) throws {
        shop.killMemcached()
        let answers = try shop.crowd(50, threads: 50) { client, _ in
            try client.post(route.path(25), route.body(25), key: "one")
        }
        #expect(answers.count { $0.status == 200 && !$0.isReplayed } == 1)
        #expect(answers.allSatisfy { [200, 409, 503].contains($0.status) })
        #expect(try shop.points(25) == 100_000 + route.effect)
        #expect(try send(route, key: "one").isReplayed)
        #expect(try books.discrepancies() == [])
    }
}
