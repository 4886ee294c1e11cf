import MariaDB
import Store

/// The shop's books: whether everything since they were opened adds up.
///
/// Most of it is for the shop's own audit to say; the rest is what an audit of a living shop cannot
/// know or may not hold against it.
struct Books {
    private let shop: Shop
    private let sold: [Int64: Int64]

    /// Opens the books, before anything is sold: what a test has set by hand is right.
    init(_ shop: Shop) throws {
        self.shop = shop
        try shop.database.reconcile()
        sold = try shop.pairs("SELECT product_id, quantity FROM sale_window")
    }

    /// Everything that does not add up, in words. Nothing is as it should be.
    func discrepancies() throws -> [String] {
        var wrong = try shop.database.violations()
        let units = try shop.pairs(
            """
            SELECT i.product_id, SUM(i.quantity) FROM orders_item i
            JOIN orders o ON o.id = i.order_id WHERE o.status = 'PAID' GROUP BY i.product_id
            """)
        let window = try shop.pairs("SELECT product_id, quantity FROM sale_window")
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
            "outbox e JOIN orders o ON o.id = e.aggregate_id WHERE e.aggregate = 'ORDER' "
                + "AND (JSON_VALUE(e.payload, '$.totalPrice') <> o.total_price "
                + "OR JSON_VALUE(e.payload, '$.userId') <> o.user_id "
                + "OR (e.type = 'order.cancelled' AND o.status <> 'CANCELED'))",
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

extension ShopDatabase {
    /// Lets what was set by hand count as right.
    func reconcile() throws { try load("sql/reconcile.sql", in: TestRun.folder.get()) }

    /// What the shop's audit names.
    func violations() throws -> [String] {
        let audit = Audit(
            pool: Audit.pool(for: owner), eventsKeptHours: 168, busyPercent: 100)
        guard let report = try audit.run() else { throw Failure("another audit is under way") }
        guard report.isWhole else { throw Failure("the audit did not come to its end") }
        return report.named.map { "\($0.rule.rawValue): \($0.noun) \($0.number) \($0.finding)" }
    }
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
