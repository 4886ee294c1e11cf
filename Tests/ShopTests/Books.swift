import MariaDB

/// The shop's books: what was there when they were opened, and whether everything since adds up.
struct Books {
    private let shop: Shop
    private let stock: [Int64: Int64]
    private let points: [Int64: Int64]
    private let sold: [Int64: Int64]

    /// Opens the books, before anything is sold.
    init(_ shop: Shop) throws {
        self.shop = shop
        stock = try shop.pairs("SELECT product_id, quantity FROM stock")
        points = try shop.pairs("SELECT id, point FROM users")
        sold = try shop.pairs("SELECT product_id, quantity FROM sale_window")
    }

    /// Everything that does not add up, in words. Nothing is as it should be.
    func discrepancies() throws -> [String] {
        let units = try shop.pairs(
            """
            SELECT i.product_id, SUM(i.quantity) FROM orders_item i
            JOIN orders o ON o.id = i.order_id WHERE o.status = 'PAID' GROUP BY i.product_id
            """)
        let left = try shop.pairs("SELECT product_id, quantity FROM stock")
        let moved = try shop.pairs(
            """
            SELECT user_id, SUM(CASE WHEN pay_method = 'CHARGE' OR status = 'REFUNDED'
                                     THEN total_price ELSE -total_price END)
            FROM payment_history GROUP BY user_id
            """)
        let now = try shop.pairs("SELECT id, point FROM users")
        let window = try shop.pairs("SELECT product_id, quantity FROM sale_window")

        var wrong: [String] = []
        for (product, opening) in stock
        where opening != left[product, default: 0] + units[product, default: 0] {
            wrong.append(
                "product \(product): \(opening) ≠ \(left[product, default: 0]) left "
                    + "+ \(units[product, default: 0]) sold")
        }
        for (user, opening) in points where opening + moved[user, default: 0] != now[user] {
            wrong.append(
                "user \(user): \(opening) + \(moved[user, default: 0]) ≠ \(now[user, default: 0])")
        }
        let counted = sold.merging(units, uniquingKeysWith: +)
        for product in Set(counted.keys).union(window.keys)
        where window[product, default: 0] != counted[product, default: 0] {
            wrong.append("product \(product): the window has \(window[product, default: 0])")
        }
        for (sql, meaning) in Self.contradictions {
            let count = try shop.number("SELECT COUNT(*) FROM \(sql)")
            if count != 0 { wrong.append("\(count) \(meaning)") }
        }
        return wrong
    }

    /// What must never be found.
    private static let contradictions = [
        (
            "orders o WHERE total_price <> (SELECT SUM(quantity * price) FROM orders_item i "
                + "WHERE i.order_id = o.id)", "orders whose total is not that of their lines"
        ),
        (
            "orders o WHERE (SELECT COUNT(*) FROM payment_history p WHERE p.order_id = o.id AND "
                + "p.total_price = o.total_price AND p.user_id = o.user_id AND p.pay_method = 'POINT' "
                + "AND p.status = 'COMPLETED') <> 1",
            "orders without exactly one payment of their total"
        ),
        (
            "orders o WHERE (SELECT COUNT(*) FROM payment_history p WHERE p.order_id = o.id AND "
                + "p.total_price = o.total_price AND p.user_id = o.user_id AND "
                + "p.status = 'REFUNDED') <> (o.status = 'CANCELED')",
            "orders that were not given back as often as they were canceled"
        ),
        (
            "(SELECT w.product_id FROM sale_window w LEFT JOIN sale_hourly h USING (product_id) "
                + "GROUP BY w.product_id, w.quantity HAVING w.quantity <> COALESCE(SUM(h.quantity), 0))"
                + " AS unequal", "products whose window is not the sum of their hours"
        ),
        (
            "orders o LEFT JOIN (SELECT aggregate_id, SUM(type = 'order.paid') AS paid, "
                + "SUM(type = 'order.cancelled') AS cancelled FROM outbox "
                + "WHERE aggregate = 'ORDER' GROUP BY aggregate_id) e ON e.aggregate_id = o.id "
                + "WHERE COALESCE(paid, 0) <> 1 OR COALESCE(cancelled, 0) <> (o.status = 'CANCELED')",
            "orders without exactly one event of what became of them"
        ),
        (
            "outbox e LEFT JOIN orders o ON o.id = e.aggregate_id "
                + "WHERE e.aggregate = 'ORDER' AND (o.id IS NULL "
                + "OR JSON_VALUE(e.payload, '$.totalPrice') <> o.total_price "
                + "OR JSON_VALUE(e.payload, '$.userId') <> o.user_id)",
            "events of orders that are not so"
        ),
        (
            "(SELECT id FROM (SELECT id, total_price FROM payment_history "
                + "WHERE pay_method = 'CHARGE' UNION ALL "
                + "SELECT JSON_VALUE(payload, '$.paymentId'), JSON_VALUE(payload, '$.amount') "
                + "FROM outbox WHERE type = 'points.charged') AS told "
                + "GROUP BY id + 0, total_price + 0 HAVING COUNT(*) <> 2) AS untold",
            "charges without exactly one event of their amount"
        ),
        ("stock WHERE quantity < 0", "stocks below zero"),
        ("users WHERE point < 0", "users below zero"),
    ]
}

extension Shop {
    func pairs(_ sql: String) throws -> [Int64: Int64] {
        let rows = try database.connect().query(sql) { row throws(DatabaseError) in
            (try row.integer(0), try row.integer(1))
        }
        return Dictionary(uniqueKeysWithValues: rows)
    }

    /// Whether the answered orders are in the database, each once, and no others.
    func hasExactly(_ orders: [Int]) throws -> Bool {
        let stored = try database.connect().query("SELECT id FROM orders") {
            row throws(DatabaseError) in Int(try row.integer(0))
        }
        return stored.sorted() == orders.sorted()
    }
}
