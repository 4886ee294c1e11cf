import Testing

/// What the status page is made of, as a program meets it.
@Suite struct StatusRoutes {
    private let shop: Shop

    init() throws { shop = try Shop(hasProxy: true) }

    @Test func `status json has what the page shows`() throws {
        struct Status: Decodable {
            struct Product: Decodable {
                let id: Int
                let name: String
                let stock: Int
                let sold: Int
            }
            struct Outbox: Decodable {
                let undispatched: Int
                let pending: Int
                let dead: Int
                let oldestAgeSeconds: Int
            }
            let database: Bool
            let cache: Bool?
            let products: [Product]?
            let outbox: Outbox?
        }
        for _ in 1...3 { _ = try shop.post("/api/v1/orders", order(25, [(25, 1)], paying: 2_500)) }
        let status = try #require(
            try eventually {
                let status = try shop.get("/status.json").decoded(Status.self)
                return status.outbox?.undispatched == 3 ? status : nil
            })
        #expect(status.database && status.cache == true)
        let products = try #require(status.products)
        #expect(products.map(\.id) == [101, 102, 103, 104, 105, 25])
        #expect(products.map(\.sold) == [20, 18, 10, 8, 6, 3])
        #expect(products.last?.stock == 6 && products.last?.name == "빽다방 아메리카노")
        #expect(status.outbox?.pending == 0 && status.outbox?.dead == 0)

        shop.killMemcached()
        try #require(shop.proxy).cut()
        let dead = try #require(
            try eventually {
                let status = try shop.get("/status.json").decoded(Status.self)
                return status.database ? nil : status
            })
        #expect(dead.products == nil && dead.outbox == nil && dead.cache == false)
    }

    @Test func `MariaDB is asked once a second, however many watch`() throws {
        let shop = shop
        let (looks, took) = try timed {
            try shop.crowd(200, threads: 4) { client, _ in
                try shop.execute(
                    "UPDATE stock SET quantity = quantity + 1 WHERE product_id = 101")
                return try client.get("/status.json").body
            }
        }
        #expect(Set(looks).count <= Int(took) + 2, "in \(took) s")
    }

    @Test func `what is for operators is nowhere for others`() throws {
        for path in ["/status", "/status.json", "/metrics", "/readyz"] {
            #expect(try shop.get(path).status == 200, "\(path)")
            let stranger = try shop.get(path, ["X-Client": "192.0.2.1"])
            try expectProblem(stranger, 404, "NOT_FOUND", nil, "\(path)")
        }
        #expect(try shop.get("/livez", ["X-Client": "192.0.2.1"]).status == 200)
    }
}
