import MariaDB
import Testing

/// A MariaDB that answers and does not serve: every answer says so, and the shop goes on by itself when
/// it is over.
@Suite struct UnfitDatabases {
    /// Addresses that ask the database, once memcached is empty.
    private static let reads = [
        "/api/v1/users/25", "/products/101", "/products/popular", "/api/v1/products",
        "/api/v1/products?q=%EB%8B%A8", "/api/v1/users/25/orders", "/api/v1/users/25/payments",
        "/api/v1/orders/1",
    ]

    private static let order = ShopTests.order(25, [(101, 1)], paying: 2_000)

    /// What an operator, or a policy, does to the service's user, `%` here.
    enum Fault: String, CaseIterable {
        case passwordExpired = "ALTER USER % PASSWORD EXPIRE"
        case accountLocked = "ALTER USER % ACCOUNT LOCK"
        case passwordChanged = "ALTER USER % IDENTIFIED BY 'another'"
        case rightsRevoked = "REVOKE ALL PRIVILEGES, GRANT OPTION FROM %"
    }

    private func apply(_ sql: String, to shop: Shop) throws {
        try shop.execute(sql.replacing("%", with: "'\(shop.database.user)'@localhost"))
    }

    private func expectOut(_ answer: Answer, _ what: String) throws {
        try expectProblem(answer, 503, "SERVICE_UNAVAILABLE", nil, "\(what)")
        #expect(answer["Retry-After"] == "1", "\(what)")
    }

    /// Waits until the metric says so.
    private func expectUp(_ value: Double, _ shop: Shop) throws {
        let found = try eventually { () -> Bool? in
            try shop.metrics()["commerce_database_up"] == value ? true : nil
        }
        #expect(found == true, "commerce_database_up is not \(value)")
    }

    private func expectRecovered(_ shop: Shop) throws {
        try shop.waitUntilReady()
        for path in Self.reads {
            // Whoever was at a question at that moment may still hear of it once.
            let answer = try eventually { () -> Answer? in
                let answer = try shop.get(path)
                return answer.status == 503 ? nil : answer
            }
            #expect(answer?.status == 200, "\(path)")
        }
        #expect(try shop.post("/api/v1/orders", Self.order).status == 200)
        try expectUp(1, shop)
    }

    @Test(arguments: Fault.allCases)
    func `a user who may not work any more costs 503s until it may again`(fault: Fault) throws {
        let shop = try Shop()
        #expect(try shop.post("/api/v1/orders", Self.order).status == 200)
        try apply(fault.rawValue, to: shop)
        try shop.killSessions()
        try shop.flushMemcached()
        for path in Self.reads { try expectOut(try shop.get(path), path) }
        try expectOut(try shop.post("/api/v1/orders", Self.order), "order")
        try expectOut(
            try shop.post("/api/v1/users/25/charge", charge(1_000), key: "k"), "charge")
        try expectProblem(try shop.get("/readyz"), 503, "DATABASE_UNFIT")
        try expectUp(0, shop)
        #expect(try shop.get("/livez").status == 200)

        if fault == .accountLocked { try apply("ALTER USER % ACCOUNT UNLOCK", to: shop) }
        try shop.database.giveRights(in: shop.folder)
        try expectRecovered(shop)
        #expect(try shop.post("/api/v1/users/25/charge", charge(1_000), key: "k").status == 200)
    }

    @Test(arguments: [
        "UPDATE (point) ON users", "INSERT ON payment_history", "UPDATE ON sale_window",
        "INSERT ON outbox",
    ])
    func `a right that only writers need costs the orders and not the reads`(right: String) throws {
        let shop = try Shop()
        let table = right.replacing("ON ", with: "ON \(shop.database.name).")
        try apply("REVOKE \(table) FROM %", to: shop)
        try expectOut(try shop.post("/api/v1/orders", Self.order), right)
        #expect(try shop.get("/api/v1/users/25").status == 200)
        try expectProblem(try shop.get("/readyz"), 503, "DATABASE_UNFIT")
        try expectUp(0, shop)
        try apply("GRANT \(table) TO %", to: shop)
        try shop.waitUntilReady()
        #expect(try shop.post("/api/v1/orders", Self.order).status == 200)
        try expectUp(1, shop)
    }

    @Test func `a read-only server takes no orders, shows what there is, and says so`() throws {
        let shop = try Shop(mariadbOptions: [])
        #expect(try shop.post("/api/v1/orders", Self.order).status == 200)
        try shop.execute("SET GLOBAL read_only = 1")
        try shop.flushMemcached()
        for _ in 1...3 {
            try expectOut(try shop.post("/api/v1/orders", Self.order), "order")
            try expectOut(try shop.post("/api/v1/orders/1/cancel", "", key: "c"), "cancel")
            try expectOut(
                try shop.post("/api/v1/users/25/charge", charge(1_000), key: "k"), "charge")
        }
        for path in Self.reads { #expect(try shop.get(path).status == 200, "\(path)") }
        try expectProblem(try shop.get("/readyz"), 503, "DATABASE_UNFIT")
        try expectUp(0, shop)
        // A process that starts meanwhile waits for nothing, and says the same.
        try shop.startSuccessor()
        try expectProblem(try shop.newClient().get("/readyz"), 503, "DATABASE_UNFIT")
        try shop.execute("SET GLOBAL read_only = 0")
        try expectRecovered(shop)
    }

    @Test func `a list that takes too long is stopped, and the database counts as up`() throws {
        let shop = try Shop()
        try shop.locking("payment_history") {
            try expectOut(try shop.get("/api/v1/users/25/payments"), "payments")
            #expect(try shop.metrics()["commerce_database_up"] == 1)
            #expect(try shop.get("/readyz").status == 200)
        }
        #expect(try shop.get("/api/v1/users/25/payments").status == 200)
    }

    @Test func `an order that the schema refuses is a 500, and the next one succeeds`() throws {
        let shop = try Shop()
        try shop.execute(
            "ALTER TABLE orders ADD CONSTRAINT nothing_dear CHECK (total_price < 3000)")
        let dear = ShopTests.order(25, [(101, 2)], paying: 4_000)
        try expectProblem(try shop.post("/api/v1/orders", dear), 500, "INTERNAL_ERROR")
        #expect(contents(of: shop.commerce.log).contains("nothing_dear"))
        #expect(try shop.post("/api/v1/orders", Self.order).status == 200)
        #expect(try shop.stock(101) == 999)
    }
}
