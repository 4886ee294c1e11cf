import MariaDB
import Testing

/// On a server whose zone is not UTC, what is written by hand has the right time.
@Suite struct TimeZones {
    /// The SQL that README.md shows.
    private static let recipes = contents(of: TestRun.repository + "/README.md")
        .split(separator: "```sql\n").dropFirst()
        .compactMap { $0.split(separator: "```").first.map(String.init) }

    /// As an operator does who has set nothing.
    private func type(_ sql: String, in shop: Shop) throws {
        guard case .socket(let path) = shop.database.owner.address else { return }
        let finished = try Finished(
            ["mariadb"] + ShopDatabase.options(of: path) + ["-e", sql, shop.database.name],
            in: shop.folder)
        #expect(finished.status == 0, "\(finished.errors)")
    }

    @Test func `in Seoul the audit sees what was done by hand as it is`() throws {
        let shop = try Shop(mariadbOptions: ["--default-time-zone=+09:00"])
        #expect(try shop.number("SELECT COUNT(*) FROM users") == 100)
        #expect(!Self.recipes.isEmpty)
        for recipe in Self.recipes { try type(recipe, in: shop) }
        try type(
            """
            INSERT INTO product (id, name, price) VALUES (900, 'by hand', 1000);
            INSERT INTO stock (product_id, quantity) VALUES (900, 10);
            INSERT INTO stock_movement (product_id, cause, quantity) VALUES (900, 'OPENING', 10);
            INSERT INTO users (id, name, hp_no, point) VALUES (900, 'by hand', '010-0000-0900', 5000);
            INSERT INTO point_adjustment (user_id, cause, amount) VALUES (900, 'OPENING', 5000)
            """, in: shop)
        let placed = try shop.post("/api/v1/orders", order(900, [(900, 2)], paying: 2_000))
        #expect(placed.status == 200)
        #expect(try shop.database.violations() == [])

        // An order that took nothing.
        try type(
            """
            INSERT INTO orders (id, user_id, total_price) VALUES (NEXTVAL(order_id), 900, 1000);
            INSERT INTO orders_item (order_id, product_id, quantity, price)
            VALUES (LASTVAL(order_id), 900, 1, 1000)
            """, in: shop)
        let violations = try shop.database.violations()
        #expect(violations.contains { $0.contains("product 900") }, "\(violations)")
    }

    /// Every time that a row can get without being told one.
    @Test func `no time is off by the zone of the session that adds the row`() throws {
        let shop = try Shop(mariadbOptions: ["--default-time-zone=+09:00"])
        for recipe in Self.recipes { try type(recipe, in: shop) }
        try type("SET @n = 0; INSERT INTO users (name, hp_no) VALUES ('n', '1')", in: shop)
        let connection = try shop.database.connect()
        let columns = try connection.query(
            """
            SELECT table_name, column_name FROM information_schema.columns
            WHERE table_schema = DATABASE() AND data_type = 'datetime'
            """
        ) { row throws(DatabaseError) in (try row.text(0), try row.text(1)) }
        #expect(columns.count > 20)
        for (table, column) in columns where column != "due_at" {
            let ahead = try connection.number(
                "SELECT COUNT(*) FROM \(table) WHERE \(column) > UTC_TIMESTAMP() + INTERVAL 1 HOUR")
            #expect(ahead == 0, "\(table).\(column)")
        }
        let local = try connection.number(
            """
            SELECT COUNT(*) FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name <> 'schema_migrations'
                AND column_default LIKE 'current_timestamp%'
            """)
        #expect(local == 0)
    }
}
