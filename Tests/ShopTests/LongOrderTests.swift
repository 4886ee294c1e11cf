import Testing

/// A part of a list of orders has a bounded number of lines.
@Suite struct LongOrders {
    private struct Item: Decodable {
        struct Line: Decodable {}
        let orderId: String
        let products: [Line]
    }

    @Test(arguments: [1, 11, 100])
    func `a part of a list of long orders ends at a thousand lines, and the next goes on`(
        limit: Int
    ) throws {
        let shop = try Shop()
        try shop.execute(
            "INSERT INTO product (id, name, price) SELECT 1000 + seq, 'x', 1 FROM seq_1_to_100")
        // The 26th is of one line, the 40th of more than an order can have, the 41st of none.
        try shop.execute(
            "INSERT INTO orders (id, user_id, total_price) SELECT seq, 25, 1 FROM seq_1_to_60")
        try shop.execute(
            """
            INSERT INTO orders_item (order_id, product_id, quantity, price)
            SELECT o.id, p.id, 1, 1 FROM orders o JOIN product p ON p.id > 1000
            WHERE o.id <> 41 AND (o.id <> 26 OR p.id = 1001)
            """)
        try shop.execute(
            "INSERT INTO product (id, name, price) SELECT 2000 + seq, 'y', 1 FROM seq_1_to_1500")
        try shop.execute(
            """
            INSERT INTO orders_item (order_id, product_id, quantity, price)
            SELECT 40, id, 1, 1 FROM product WHERE id > 2000
            """)
        var (ids, next): ([Int], String?) = ([], "/api/v1/users/25/orders?limit=\(limit)")
        while let part = next {
            let answer = try shop.get(part)
            let items = try answer.decoded([Item].self)
            let lines = items.reduce(0) { $0 + $1.products.count }
            #expect(items.count == 1 || (lines <= 1_000 && items.count <= limit), "\(lines)")
            #expect(!items.isEmpty)
            ids += items.compactMap { Int($0.orderId) }
            next = answer["Link"]?.split(separator: ">").first.map { String($0.dropFirst()) }
        }
        #expect(ids == (1...60).reversed())
    }
}
