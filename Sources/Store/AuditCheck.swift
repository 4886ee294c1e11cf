import MariaDB

/// One question to the database that only what is wrong answers.
///
/// Asked for a slice at a time: for the rows of one table whose key lies between two numbers.
struct AuditCheck {
    let rule: Audit.Rule
    /// What the number of a violation names.
    let noun: String
    /// Where the slices are cut: rows in the order of an index.
    let rows: (table: String, key: String, condition: String)
    /// A SELECT of a number and a finding, with `SLICE` where the key's bounds belong, and perhaps a
    /// `?` behind it for the hours for which events are kept.
    let sql: String

    private init(
        _ rule: Audit.Rule, _ noun: String, in table: String, by key: String,
        where condition: String = "TRUE", _ sql: String
    ) {
        self.rule = rule
        self.noun = noun
        rows = (table, key, condition)
        self.sql = sql
    }

    private var needsHours: Bool { sql.contains("?") }

    /// The key that ends a slice of so many rows; the greatest number where there are fewer.
    func end(
        of count: Int, after last: Int64, on connection: Connection
    ) throws(DatabaseError) -> Int64 {
        let keys = try connection.query(
            """
            SELECT \(rows.key) FROM \(rows.table) WHERE \(rows.condition) AND \(rows.key) > ?
            ORDER BY \(rows.key) LIMIT 1 OFFSET ?
            """, [.integer(last), .integer(Int64(count - 1))]
        ) { row throws(DatabaseError) in try row.integer(0) }
        return keys.first ?? .max
    }

    /// Everything wrong in a slice.
    func violations(
        after last: Int64, through end: Int64, keptHours: Int, on connection: Connection
    ) throws(DatabaseError) -> [Audit.Violation] {
        let slice = "(\(rows.table).\(rows.key) > ? AND \(rows.table).\(rows.key) <= ?)"
        let hours: [Value] = needsHours ? [.integer(Int64(keptHours))] : []
        return try connection.query(
            sql.replacing("SLICE", with: slice), [.integer(last), .integer(end)] + hours
        ) { row throws(DatabaseError) in
            Audit.Violation(
                rule: rule, noun: noun, number: try row.integer(0), finding: try row.text(1))
        }
    }
}

// MARK: - The rules

extension AuditCheck {
    static let all =
        [points, stock, lines, payment, paidEvent, cancelledEvent] + cancel + orphans + sales

    private static let points = AuditCheck(
        .points, "user", in: "users", by: "id",
        """
        SELECT id, CONCAT('has ', point, ' points, and its payments make ', amount)
        FROM (SELECT users.id, users.point,
                (SELECT COALESCE(SUM(a.amount), 0) FROM point_adjustment a
                 WHERE a.user_id = users.id)
                + (SELECT COALESCE(SUM(p.total_price
                        * IF(p.pay_method = 'CHARGE' OR p.status = 'REFUNDED', 1, -1)), 0)
                   FROM payment_history p FORCE INDEX (payment_history_by_user)
                   WHERE p.user_id = users.id) AS amount
              FROM users WHERE SLICE) AS account
        WHERE point <> amount
        """)

    private static let stock = AuditCheck(
        .stock, "product", in: "stock", by: "product_id",
        """
        SELECT stock.product_id, CONCAT('has ', MAX(stock.quantity), ' in stock, and its '
            'movements make ', COALESCE(SUM(m.quantity), 0))
        FROM stock LEFT JOIN stock_movement m ON m.product_id = stock.product_id
        WHERE SLICE GROUP BY stock.product_id
        HAVING MAX(stock.quantity) <> COALESCE(SUM(m.quantity), 0)
        """)

    /// When a product's movements begin: what was ordered or canceled before has none.
    private static let opening = """
        (SELECT MIN(opening.created_at) FROM stock_movement opening
         WHERE opening.product_id = i.product_id AND opening.order_id = 0
         AND opening.cause = 'OPENING')
        """

    /// The units that a line moved, in one direction.
    private static func moved(_ cause: String) -> String {
        """
        (SELECT SUM(m.quantity) FROM stock_movement m WHERE m.product_id = i.product_id
         AND m.order_id = i.order_id AND m.cause = '\(cause)')
        """
    }

    private static let lines = AuditCheck(
        .orderLines, "order", in: "orders", by: "id",
        """
        SELECT orders.id, CASE WHEN COUNT(i.order_id) = 0 THEN 'has no lines'
            WHEN MAX(orders.total_price) <> SUM(i.quantity * i.price)
            THEN CONCAT('costs ', MAX(orders.total_price), ', and its lines ',
                SUM(i.quantity * i.price))
            ELSE 'did not take the units of its lines from the stock' END
        FROM orders LEFT JOIN orders_item i ON i.order_id = orders.id
        WHERE SLICE GROUP BY orders.id
        HAVING COUNT(i.order_id) = 0 OR MAX(orders.total_price) <> SUM(i.quantity * i.price)
            OR SUM(COALESCE(\(moved("ORDER")), IF(orders.created_at < \(opening),
                -i.quantity, 0)) <> -i.quantity) > 0
        """)

    private static let payment = AuditCheck(
        .orderPayment, "order", in: "orders", by: "id",
        """
        SELECT orders.id, CASE WHEN COUNT(p.id) <> 1 THEN CONCAT('was paid ', COUNT(p.id), ' times')
            WHEN MAX(p.user_id) <> MAX(orders.user_id)
            THEN CONCAT('was paid by user ', MAX(p.user_id))
            ELSE CONCAT('costs ', MAX(orders.total_price), ', and ', MAX(p.total_price),
                ' were paid') END
        FROM orders LEFT JOIN payment_history p
            ON p.order_id = orders.id AND p.status = 'COMPLETED'
        WHERE SLICE GROUP BY orders.id
        HAVING COUNT(p.id) <> 1 OR MAX(p.user_id) <> MAX(orders.user_id)
            OR MAX(p.total_price) <> MAX(orders.total_price)
        """)

    // MARK: - Events

    /// From when on events must be there: they are kept for some time, and before their table there
    /// were none.
    private static let eventsSince = """
        GREATEST(UTC_TIMESTAMP(6) - INTERVAL ? HOUR,
            (SELECT applied_at FROM schema_migrations WHERE number = 7))
        """

    private static let paidEvent = AuditCheck(
        .orderEvent, "order", in: "orders", by: "id",
        """
        SELECT orders.id, CONCAT('has ', COUNT(e.id), ' events of its payment')
        FROM orders LEFT JOIN outbox e ON e.aggregate = 'ORDER'
            AND e.aggregate_id = orders.id AND e.type = 'order.paid'
        WHERE SLICE AND orders.created_at > \(eventsSince)
        GROUP BY orders.id HAVING COUNT(e.id) <> 1
        """)

    private static let cancelledEvent = AuditCheck(
        .orderEvent, "order", in: "orders", by: "id",
        """
        SELECT orders.id, CONCAT('has ', COUNT(e.id), ' events of its cancel')
        FROM orders
        JOIN payment_history p ON p.order_id = orders.id AND p.status = 'REFUNDED'
        LEFT JOIN outbox e ON e.aggregate = 'ORDER'
            AND e.aggregate_id = orders.id AND e.type = 'order.cancelled'
        WHERE SLICE AND orders.status = 'CANCELED' AND p.created_at > \(eventsSince)
        GROUP BY orders.id HAVING COUNT(e.id) <> 1
        """)

    // MARK: - Cancels

    private static let cancel = [
        AuditCheck(
            .cancel, "order", in: "orders", by: "id",
            """
            SELECT orders.id, CASE WHEN COUNT(p.id) <> 1
                THEN CONCAT('is canceled, and was given back ', COUNT(p.id), ' times')
                ELSE CONCAT('cost ', MAX(orders.total_price), ', and ', MAX(p.total_price),
                    ' were given back to user ', MAX(p.user_id)) END
            FROM orders LEFT JOIN payment_history p
                ON p.order_id = orders.id AND p.status = 'REFUNDED'
            WHERE SLICE AND orders.status = 'CANCELED' GROUP BY orders.id
            HAVING COUNT(p.id) <> 1 OR MAX(p.user_id) <> MAX(orders.user_id)
                OR MAX(p.total_price) <> MAX(orders.total_price)
            """),
        AuditCheck(
            .cancel, "order", in: "orders", by: "id",
            """
            SELECT orders.id, 'is canceled, and did not give the units of its lines back'
            FROM orders JOIN orders_item i ON i.order_id = orders.id
            WHERE SLICE AND orders.status = 'CANCELED' GROUP BY orders.id
            HAVING SUM(COALESCE(\(moved("CANCEL")), IF(
                (SELECT MAX(p.created_at) FROM payment_history p
                 WHERE p.order_id = i.order_id AND p.status = 'REFUNDED') < \(opening),
                i.quantity, 0)) <> i.quantity) > 0
            """),
        AuditCheck(
            .cancel, "payment", in: "payment_history", by: "id",
            """
            SELECT payment_history.id, CONCAT('gives order ', payment_history.order_id,
                ' back, which is not canceled')
            FROM payment_history JOIN orders o ON o.id = payment_history.order_id
            WHERE SLICE AND payment_history.status = 'REFUNDED' AND o.status <> 'CANCELED'
            """),
        AuditCheck(
            .cancel, "product", in: "stock_movement", by: "product_id",
            """
            SELECT stock_movement.product_id, CONCAT('has units back of order ',
                stock_movement.order_id, ', which is not canceled')
            FROM stock_movement JOIN orders o ON o.id = stock_movement.order_id
            WHERE SLICE AND stock_movement.cause = 'CANCEL' AND o.status <> 'CANCELED'
            """),
    ]

    // MARK: - Orphans

    /// That an order's user exists goes without asking: its payment is of the same user.
    private static let orphans = [
        AuditCheck(
            .orphans, "order", in: "orders_item", by: "order_id",
            """
            SELECT DISTINCT orders_item.order_id, 'has lines and does not exist'
            FROM orders_item LEFT JOIN orders o ON o.id = orders_item.order_id
            WHERE SLICE AND o.id IS NULL
            """),
        AuditCheck(
            .orphans, "payment", in: "payment_history", by: "id",
            """
            SELECT payment_history.id, CONCAT('is of user ', payment_history.user_id,
                COALESCE(CONCAT(' for order ', payment_history.order_id), ''),
                ', which do not exist')
            FROM payment_history LEFT JOIN users u ON u.id = payment_history.user_id
            LEFT JOIN orders o ON o.id = payment_history.order_id
            WHERE SLICE AND (u.id IS NULL
                OR payment_history.order_id IS NOT NULL AND o.id IS NULL)
            """),
        AuditCheck(
            .orphans, "product", in: "stock_movement", by: "product_id",
            """
            SELECT stock_movement.product_id, IF(s.product_id IS NULL,
                'has movements and no stock', CONCAT('has a movement of order ',
                stock_movement.order_id, ', which has no line of it'))
            FROM stock_movement LEFT JOIN stock s ON s.product_id = stock_movement.product_id
            LEFT JOIN orders_item i FORCE INDEX (orders_item_by_product)
                ON i.order_id = stock_movement.order_id
                AND i.product_id = stock_movement.product_id
            WHERE SLICE AND (s.product_id IS NULL
                OR stock_movement.order_id > 0 AND i.order_id IS NULL)
            """),
        AuditCheck(
            .orphans, "order", in: "outbox", by: "aggregate_id", where: "aggregate = 'ORDER'",
            """
            SELECT outbox.aggregate_id, CONCAT('has the event ', outbox.type,
                ' and does not exist')
            FROM outbox LEFT JOIN orders o ON o.id = outbox.aggregate_id
            WHERE SLICE AND outbox.aggregate = 'ORDER' AND o.id IS NULL
            """),
        AuditCheck(
            .orphans, "delivery", in: "delivery", by: "id",
            """
            SELECT delivery.id, 'is of an event that does not exist'
            FROM delivery LEFT JOIN outbox e ON e.id = delivery.event_id
            WHERE SLICE AND e.id IS NULL
            """),
    ]

    // MARK: - Sales

    private static let sales = [
        AuditCheck(
            .sales, "product", in: "sale_window", by: "product_id",
            """
            SELECT sale_window.product_id, CONCAT('sold ', MAX(sale_window.quantity),
                ' in the window, and ', COALESCE(SUM(h.quantity), 0), ' in its hours')
            FROM sale_window LEFT JOIN sale_hourly h ON h.product_id = sale_window.product_id
            WHERE SLICE GROUP BY sale_window.product_id
            HAVING MAX(sale_window.quantity) <> COALESCE(SUM(h.quantity), 0)
            """),
        AuditCheck(
            .sales, "product", in: "sale_hourly", by: "product_id",
            """
            SELECT DISTINCT sale_hourly.product_id, 'sold in some hours, and not in the window'
            FROM sale_hourly LEFT JOIN sale_window w ON w.product_id = sale_hourly.product_id
            WHERE SLICE AND w.product_id IS NULL
            """),
    ]
}
