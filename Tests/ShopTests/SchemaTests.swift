import Commerce
import FoundationEssentials
import MariaDB
import Testing

/// The last guard: what must never be, the database refuses from anybody.
@Suite struct SchemaGuards {
    /// A statement that breaks one constraint of the schema.
    private struct Breach {
        let constraint: String
        let statement: String

        init(_ constraint: String, _ statement: String) {
            self.constraint = constraint
            self.statement = statement
        }
    }

    private static let ranges = [
        Breach("users_point_in_range", "UPDATE users SET point = -1 WHERE id = 25"),
        Breach("users_point_in_range", "UPDATE users SET point = 1000000000000001 WHERE id = 25"),
        Breach("product_price_in_range", "UPDATE product SET price = -1 WHERE id = 101"),
        Breach("product_price_in_range", "UPDATE product SET price = 1000000001 WHERE id = 101"),
        Breach("stock_quantity_in_range", "UPDATE stock SET quantity = -1 WHERE product_id = 101"),
        Breach("stock_quantity_in_range", "UPDATE stock SET quantity = 1000000000001"),
        Breach("orders_total_not_negative", "UPDATE orders SET total_price = -1"),
        Breach("orders_item_quantity_in_range", "UPDATE orders_item SET quantity = 0"),
        Breach("orders_item_quantity_in_range", "UPDATE orders_item SET quantity = 100000001"),
        Breach("orders_item_price_not_negative", "UPDATE orders_item SET price = -1"),
        Breach("payment_history_total_not_negative", "UPDATE payment_history SET total_price = -1"),
        Breach("sale_hourly_quantity_not_negative", "UPDATE sale_hourly SET quantity = -1"),
        Breach("sale_window_quantity_not_negative", "UPDATE sale_window SET quantity = -1"),
    ]

    private static let meanings = [
        Breach("shop_is_one", "UPDATE shop SET id = 2"),
        Breach(
            "payment_history_order_unless_charge",
            "UPDATE payment_history SET order_id = NULL WHERE pay_method = 'POINT'"),
        Breach(
            "sale_hourly_whole_hour", "UPDATE sale_hourly SET hour = hour + INTERVAL 1 MINUTE"),
        Breach(
            "stock_movement_of_an_order_or_none",
            "UPDATE stock_movement SET order_id = 0 WHERE cause = 'ORDER'"),
        Breach("payload", "UPDATE outbox SET payload = '{'"),
        Breach(
            "webhook_endpoint_secret_long_enough",
            "INSERT INTO webhook_endpoint (url, secret) VALUES ('u', REPEAT('s', 23))"),
        Breach(
            "webhook_endpoint_previous_has_an_end",
            """
            INSERT INTO webhook_endpoint (url, secret, previous_secret)
            VALUES ('u', REPEAT('s', 24), REPEAT('p', 24))
            """),
        Breach(
            "webhook_endpoint_off_for_a_reason",
            """
            INSERT INTO webhook_endpoint (url, secret, disabled_at)
            VALUES ('u', REPEAT('s', 24), NOW(6))
            """),
        Breach(
            "delivery_pending_until_finished",
            """
            INSERT INTO delivery (event_id, target_id, state, due_at)
            SELECT id, 0, 'DELIVERED', NOW(6) FROM outbox
            """),
    ]

    private static let doubles = [
        Breach(
            "payment_history_once_an_order",
            """
            INSERT INTO payment_history (id, user_id, order_id, total_price, pay_method, status)
            SELECT id + 1000, user_id, order_id, total_price, pay_method, status
            FROM payment_history WHERE pay_method = 'POINT'
            """),
        Breach(
            "delivery_once_a_target",
            """
            INSERT INTO delivery (event_id, target_id, due_at)
            SELECT id, 0, NOW(6) FROM outbox CROSS JOIN seq_1_to_2
            """),
    ]

    /// By the column that refers, of one of each kind of row.
    private static let orphans = [
        ("stock_of_product", "stock", "product_id"), ("orders_of_user", "orders", "user_id"),
        ("orders_item_of_order", "orders_item", "order_id"),
        ("orders_item_of_product", "orders_item", "product_id"),
        ("payment_history_of_user", "payment_history", "user_id"),
        ("payment_history_of_order", "payment_history", "order_id"),
        ("idempotency_key_of_user", "idempotency_key", "user_id"),
        ("sale_hourly_of_product", "sale_hourly", "product_id"),
        ("sale_window_of_product", "sale_window", "product_id"),
        ("point_adjustment_of_user", "point_adjustment", "user_id"),
    ].map { Breach($0, "UPDATE \($1) SET \($2) = 987654321 WHERE \($2) IS NOT NULL LIMIT 1") }

    private static let orphanedDelivery = Breach(
        "delivery_of_event",
        "INSERT INTO delivery (event_id, target_id, due_at) VALUES (UUID(), 0, NOW(6))")

    private static let breaches = ranges + meanings + doubles + orphans + [orphanedDelivery]

    /// An order with a key, and its event: a row for each constraint.
    private func traded() throws -> LedgerUnderTest {
        let test = try LedgerUnderTest()
        #expect(try test.submit(try .order(3, 101, key: "k")).value().isAccepted)
        return test
    }

    @Test func `every constraint refuses what breaks it`() throws {
        let test = try traded()
        let owner = try test.database.connect()
        for breach in Self.breaches {
            try owner.execute("START TRANSACTION")
            let error = #expect(throws: DatabaseError.self, "\(breach.constraint)") {
                try owner.execute(breach.statement)
            }
            let message = error?.message ?? ""
            #expect(message.contains(breach.constraint), "\(breach.constraint): \(message)")
            try owner.execute("ROLLBACK")
        }
    }

    @Test func `no constraint is without its case`() throws {
        let test = try traded()
        let names = try test.database.connect().query(
            """
            SELECT constraint_name FROM information_schema.table_constraints
            WHERE constraint_schema = DATABASE() AND constraint_type <> 'PRIMARY KEY'
            """
        ) { row throws(DatabaseError) in try row.text(0) }
        #expect(Set(names) == Set(Self.breaches.map(\.constraint)))
    }

    @Test func `a key is used once for each user, route and order`() throws {
        let test = try traded()
        let owner = try test.database.connect()
        for (column, other) in [
            ("user_id", "4"), ("scope", "'CHARGE'"), ("idem_key", "'K'"), ("order_id", "1"),
        ] {
            let columns = ["user_id", "scope", "idem_key", "order_id"]
            func insert(_ change: String?) throws {
                let values = columns.map { $0 == change ? other : $0 }.joined(separator: ", ")
                try owner.execute(
                    """
                    INSERT INTO idempotency_key
                        (\(columns.joined(separator: ", ")), fingerprint, status, response)
                    SELECT \(values), fingerprint, status, response FROM idempotency_key
                    WHERE user_id = 3 AND scope = 'ORDER' AND idem_key = 'k' AND order_id = 0
                    """)
            }
            try insert(column)
            let error = #expect(throws: DatabaseError.self) { try insert(nil) }
            #expect(error?.kind == .duplicateKey)
        }
    }
}
