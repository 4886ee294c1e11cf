import Testing

@Suite struct Popular {
    private let shop: Shop

    init() throws { shop = try Shop() }

    private func list() throws -> [SellerDocument] {
        let answer = try shop.get("/products/popular")
        #expect(answer.status == 200)
        return try answer.decoded([SellerDocument].self)
    }

    /// Waits for a list. The caches may show an older one for 4 s, and the window moves every 5 s.
    private func waitFor(_ expected: [SellerDocument]) throws {
        var last: [SellerDocument] = []
        let found = try eventually(within: 15, pauseMilliseconds: 50) { () -> Bool? in
            last = try list()
            return last == expected ? true : nil
        }
        #expect(found != nil, "\(last)")
    }

    private static func sellers(_ pairs: [(Int, Int)]) -> [SellerDocument] {
        pairs.map { SellerDocument(id: $0.0, sale_count: $0.1) }
    }

    private static let opening = sellers([(101, 20), (102, 18), (103, 10), (104, 8), (105, 6)])

    @Test func `an order appears among the best sellers within seconds`() throws {
        #expect(try list() == Self.opening)
        let answer = try shop.post(
            "/api/v1/orders", order(25, [(105, 16), (25, 9)], paying: 32_000 + 22_500))
        #expect(answer.status == 200)
        try waitFor(Self.sellers([(105, 22), (101, 20), (102, 18), (103, 10), (25, 9)]))
    }

    @Test func `of equal sales the smaller number comes first`() throws {
        let body = order(25, [(102, 2), (104, 2), (105, 4), (103, 10)], paying: 36_000)
        #expect(try shop.post("/api/v1/orders", body).status == 200)
        try waitFor(Self.sellers([(101, 20), (102, 20), (103, 20), (104, 10), (105, 10)]))
    }

    @Test func `sales of four days ago never appear`() throws {
        #expect(try list() == Self.opening)
        // Their hours have left the window, and the rest is what the window says.
        #expect(
            try shop.number(
                "SELECT COUNT(*) FROM sale_hourly WHERE hour < UTC_TIMESTAMP() - INTERVAL 74 HOUR")
                == 0)
        #expect(try shop.number("SELECT quantity FROM sale_window WHERE product_id = 26") == 0)
    }

    @Test func `a sale leaves the list when its hour is three days old`() throws {
        try shop.execute(
            "UPDATE sale_hourly SET hour = hour - INTERVAL 80 HOUR WHERE product_id = 101")
        try waitFor(Self.sellers([(102, 18), (103, 10), (104, 8), (105, 6)]))
        #expect(try shop.number("SELECT quantity FROM sale_window WHERE product_id = 101") == 0)
    }

    @Test func `a shop that has sold nothing has an empty list`() throws {
        try shop.execute("DELETE FROM sale_hourly")
        try shop.execute("DELETE FROM sale_window")
        #expect(try shop.get("/products/popular").text == "[]")
    }

    @Test func `many who ask at once get one list`() throws {
        let answers = try shop.crowd(200) { client, _ in try client.get("/products/popular") }
        #expect(Set(answers.map(\.text)).count == 1)
        #expect(answers.allSatisfy { $0.status == 200 && $0.faults == [] })
    }
}
