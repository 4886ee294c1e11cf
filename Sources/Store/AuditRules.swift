// What the audit asks. A key that is compared with `slice` has an index that begins with it.

extension AuditCheck {
    static let all =
        [accounts, payers, orders, cancelledLines, stock, cancelledUnits, deliveries]
        + sales

    /// The rows of a slice, by a column that has its key.
    private static func slice(_ column: String) -> String {
        "(\(column) > :after AND \(column) <= :through)"
    }

    /// A sum in which each row has a weight of its own, so that what one row lacks no other makes up
    /// for, but for one case in four thousand million. (A DECIMAL, because a product of two BIGINT may
    /// be too large.)
    private static func weighed(_ number: String, by key: String) -> String {
        "SUM(CAST(\(number) AS DECIMAL(20)) * CRC32(\(key)))"
    }

    // MARK: - Points

    private static let accounts = AuditCheck(
        by: "id", of: "users",
        Question(
            .points, "user",
            """
            SELECT id, CONCAT('has ', point, ' points, and its payments make ', amount)
            FROM (SELECT users.id, users.point,
                    (SELECT COALESCE(SUM(a.amount), 0) FROM point_adjustment a
                     WHERE a.user_id = users.id)
                    + (SELECT COALESCE(SUM(p.total_price
                            * IF(p.pay_method = 'CHARGE' OR p.status = 'REFUNDED', 1, -1)), 0)
                       FROM payment_history p FORCE INDEX (payment_history_by_user)
                       WHERE p.user_id = users.id) AS amount
                  FROM users WHERE \(slice("users.id"))) AS account
            WHERE point <> amount
            """))

    /// That an order's user exists goes without asking: its payment is of the same user.
    private static let payers = AuditCheck(
        by: "user_id", of: "payment_history",
        Question(
            .orphans, "payment",
            """
            SELECT p.id, CONCAT('is of user ', p.user_id, ', who does not exist')
            FROM payment_history p FORCE INDEX (payment_history_by_user)
            LEFT JOIN users u ON u.id = p.user_id
            WHERE \(slice("p.user_id")) AND u.id IS NULL
            """))

    // MARK: - Orders, and what each has once

    /// From when on events must be there: they are kept for some time, and before their table there
    /// were none.
    private static let eventsSince = """
        GREATEST(UTC_TIMESTAMP(6) - INTERVAL :hours HOUR,
            (SELECT applied_at FROM schema_migrations WHERE number = 7))
        """

    /// Four tables, each read once in the order of the orders. The events agree where all must be
    /// there and are, or where none must be there and none is.
    private static let ordersAgree = """
        SELECT COALESCE(placed.number = sold.number AND placed.worth <=> sold.worth
            AND placed.number = paid.number AND placed.worth <=> paid.worth
            AND placed.users <=> paid.users AND placed.canceled = paid.refunded
            AND placed.canceled_worth <=> paid.refunded_worth
            AND placed.canceled_users <=> paid.refunded_users
            AND (placed.first > since.moment AND placed.weight <=> told.paid
                    AND placed.canceled_weight <=> told.cancelled
                OR COALESCE(placed.last <= since.moment, TRUE)
                    AND COALESCE(paid.last_refund <= since.moment, TRUE) AND told.number = 0),
            FALSE)
        FROM (SELECT COUNT(*) AS number, \(weighed("total_price", by: "id")) AS worth,
                \(weighed("user_id", by: "id")) AS users, SUM(CRC32(id)) AS weight,
                COALESCE(SUM(status = 'CANCELED'), 0) AS canceled,
                \(weighed("IF(status = 'CANCELED', total_price, 0)", by: "id")) AS canceled_worth,
                \(weighed("IF(status = 'CANCELED', user_id, 0)", by: "id")) AS canceled_users,
                SUM(IF(status = 'CANCELED', CRC32(id), 0)) AS canceled_weight,
                MIN(created_at) AS first, MAX(created_at) AS last
            FROM orders WHERE \(slice("id"))) AS placed,
        (SELECT COUNT(*) AS number, SUM(worth * CRC32(order_id)) AS worth
            FROM (SELECT order_id, SUM(quantity * price) AS worth FROM orders_item
                WHERE \(slice("order_id")) GROUP BY order_id) AS line) AS sold,
        (SELECT COALESCE(SUM(status = 'COMPLETED'), 0) AS number,
                \(weighed("IF(status = 'COMPLETED', total_price, 0)", by: "order_id")) AS worth,
                \(weighed("IF(status = 'COMPLETED', user_id, 0)", by: "order_id")) AS users,
                COALESCE(SUM(status = 'REFUNDED'), 0) AS refunded,
                \(weighed("IF(status = 'REFUNDED', total_price, 0)", by: "order_id"))
                    AS refunded_worth,
                \(weighed("IF(status = 'REFUNDED', user_id, 0)", by: "order_id"))
                    AS refunded_users,
                MAX(IF(status = 'REFUNDED', created_at, NULL)) AS last_refund
            FROM payment_history WHERE \(slice("order_id"))) AS paid,
        (SELECT COUNT(*) AS number,
                SUM(IF(type = 'order.paid', CRC32(aggregate_id), 0)) AS paid,
                SUM(IF(type = 'order.cancelled', CRC32(aggregate_id), 0)) AS cancelled
            FROM outbox WHERE aggregate = 'ORDER' AND \(slice("aggregate_id"))) AS told,
        (SELECT \(eventsSince) AS moment) AS since
        """

    private static let orders = AuditCheck(
        by: "id", of: "orders", unless: ordersAgree,
        Question(
            .orderLines, "order",
            """
            SELECT orders.id, IF(COUNT(i.order_id) = 0, 'has no lines', CONCAT('costs ',
                MAX(orders.total_price), ', and its lines ', SUM(i.quantity * i.price)))
            FROM orders LEFT JOIN orders_item i ON i.order_id = orders.id
            WHERE \(slice("orders.id")) GROUP BY orders.id
            HAVING COUNT(i.order_id) = 0 OR MAX(orders.total_price) <> SUM(i.quantity * i.price)
            """),
        Question(
            .orderPayment, "order",
            """
            SELECT orders.id, CASE WHEN COUNT(p.id) <> 1
                THEN CONCAT('was paid ', COUNT(p.id), ' times')
                WHEN MAX(p.user_id) <> MAX(orders.user_id)
                THEN CONCAT('was paid by user ', MAX(p.user_id))
                ELSE CONCAT('costs ', MAX(orders.total_price), ', and ', MAX(p.total_price),
                    ' were paid') END
            FROM orders LEFT JOIN payment_history p
                ON p.order_id = orders.id AND p.status = 'COMPLETED'
            WHERE \(slice("orders.id")) GROUP BY orders.id
            HAVING COUNT(p.id) <> 1 OR MAX(p.user_id) <> MAX(orders.user_id)
                OR MAX(p.total_price) <> MAX(orders.total_price)
            """),
        Question(
            .orderEvent, "order",
            """
            SELECT orders.id, CONCAT('has ', COUNT(e.id), ' events of its payment')
            FROM orders LEFT JOIN outbox e ON e.aggregate = 'ORDER'
                AND e.aggregate_id = orders.id AND e.type = 'order.paid'
            WHERE \(slice("orders.id")) AND orders.created_at > \(eventsSince)
            GROUP BY orders.id HAVING COUNT(e.id) <> 1
            """),
        Question(
            .orderEvent, "order",
            """
            SELECT orders.id, CONCAT('has ', COUNT(e.id), ' events of its cancel')
            FROM orders
            JOIN payment_history p ON p.order_id = orders.id AND p.status = 'REFUNDED'
            LEFT JOIN outbox e ON e.aggregate = 'ORDER'
                AND e.aggregate_id = orders.id AND e.type = 'order.cancelled'
            WHERE \(slice("orders.id")) AND orders.status = 'CANCELED'
                AND p.created_at > \(eventsSince)
            GROUP BY orders.id HAVING COUNT(e.id) <> 1
            """),
        Question(
            .cancel, "order",
            """
            SELECT orders.id, CASE WHEN COUNT(p.id) <> 1
                THEN CONCAT('is canceled, and was given back ', COUNT(p.id), ' times')
                ELSE CONCAT('cost ', MAX(orders.total_price), ', and ', MAX(p.total_price),
                    ' were given back to user ', MAX(p.user_id)) END
            FROM orders LEFT JOIN payment_history p
                ON p.order_id = orders.id AND p.status = 'REFUNDED'
            WHERE \(slice("orders.id")) AND orders.status = 'CANCELED' GROUP BY orders.id
            HAVING COUNT(p.id) <> 1 OR MAX(p.user_id) <> MAX(orders.user_id)
                OR MAX(p.total_price) <> MAX(orders.total_price)
            """),
        Question(
            .cancel, "payment",
            """
            SELECT p.id, CONCAT('gives order ', p.order_id, ' back, which is not canceled')
            FROM payment_history p JOIN orders o ON o.id = p.order_id
            WHERE \(slice("p.order_id")) AND p.status = 'REFUNDED' AND o.status <> 'CANCELED'
            """),
        Question(
            .orphans, "order",
            """
            SELECT DISTINCT i.order_id, 'has lines and does not exist'
            FROM orders_item i LEFT JOIN orders o ON o.id = i.order_id
            WHERE \(slice("i.order_id")) AND o.id IS NULL
            """),
        Question(
            .orphans, "payment",
            """
            SELECT p.id, CONCAT('is for order ', p.order_id, ', which does not exist')
            FROM payment_history p LEFT JOIN orders o ON o.id = p.order_id
            WHERE \(slice("p.order_id")) AND o.id IS NULL
            """),
        Question(
            .orphans, "order",
            """
            SELECT e.aggregate_id, CONCAT('has the event ', e.type, ' and does not exist')
            FROM outbox e LEFT JOIN orders o ON o.id = e.aggregate_id
            WHERE e.aggregate = 'ORDER' AND \(slice("e.aggregate_id")) AND o.id IS NULL
            """))

    // MARK: - Stock, and what has moved it

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

    /// What a line and its movement are known by.
    private static let line = "(order_id << 24) ^ product_id"

    private static let stockAgrees = """
        SELECT moved.products = moved.stocks AND moved.units <=> left_over.units
            AND moved.orders = sold.number AND moved.sold <=> sold.units
        FROM (SELECT COUNT(*) AS products, COUNT(s.product_id) AS stocks,
                \(weighed("product.units", by: "product.product_id")) AS units,
                COALESCE(SUM(product.orders), 0) AS orders, SUM(product.sold) AS sold
            FROM (SELECT product_id, SUM(quantity) AS units, SUM(cause = 'ORDER') AS orders,
                    \(weighed("IF(cause = 'ORDER', -quantity, 0)", by: line)) AS sold
                FROM stock_movement WHERE \(slice("product_id")) GROUP BY product_id) AS product
            LEFT JOIN stock s ON s.product_id = product.product_id) AS moved,
        (SELECT \(weighed("quantity", by: "product_id")) AS units
            FROM stock WHERE \(slice("product_id"))) AS left_over,
        (SELECT COUNT(*) AS number, \(weighed("quantity", by: line)) AS units
            FROM orders_item WHERE \(slice("product_id"))) AS sold
        """

    private static let stock = AuditCheck(
        by: "product_id", of: "stock_movement", unless: stockAgrees,
        Question(
            .stock, "product",
            """
            SELECT stock.product_id, CONCAT('has ', MAX(stock.quantity), ' in stock, and its '
                'movements make ', COALESCE(SUM(m.quantity), 0))
            FROM stock LEFT JOIN stock_movement m ON m.product_id = stock.product_id
            WHERE \(slice("stock.product_id")) GROUP BY stock.product_id
            HAVING MAX(stock.quantity) <> COALESCE(SUM(m.quantity), 0)
            """),
        Question(
            .orderLines, "order",
            """
            SELECT i.order_id, CONCAT('did not take its ', i.quantity, ' of product ',
                i.product_id, ' from the stock')
            FROM orders_item i JOIN orders o ON o.id = i.order_id
            WHERE \(slice("i.product_id")) AND COALESCE(\(moved("ORDER")),
                IF(o.created_at < \(opening), -i.quantity, 0)) <> -i.quantity
            """),
        Question(
            .orphans, "product",
            """
            SELECT m.product_id, IF(s.product_id IS NULL, 'has movements and no stock',
                CONCAT('has a movement of order ', m.order_id, ', which has no line of it'))
            FROM stock_movement m LEFT JOIN stock s ON s.product_id = m.product_id
            LEFT JOIN orders_item i FORCE INDEX (orders_item_by_product)
                ON i.order_id = m.order_id AND i.product_id = m.product_id
            WHERE \(slice("m.product_id")) AND (s.product_id IS NULL
                OR m.order_id > 0 AND i.order_id IS NULL)
            """))

    private static let cancelledLines = AuditCheck(
        by: "id", of: "orders",
        Question(
            .cancel, "order",
            """
            SELECT orders.id, 'is canceled, and did not give the units of its lines back'
            FROM orders JOIN orders_item i ON i.order_id = orders.id
            WHERE \(slice("orders.id")) AND orders.status = 'CANCELED' GROUP BY orders.id
            HAVING SUM(COALESCE(\(moved("CANCEL")), IF(
                (SELECT MAX(p.created_at) FROM payment_history p
                 WHERE p.order_id = i.order_id AND p.status = 'REFUNDED') < \(opening),
                i.quantity, 0)) <> i.quantity) > 0
            """))

    private static let cancelledUnits = AuditCheck(
        by: "product_id", of: "stock_movement",
        Question(
            .cancel, "product",
            """
            SELECT m.product_id, CONCAT('has units back of order ', m.order_id,
                IF(i.order_id IS NULL, ', which has no line of it', ', which is not canceled'))
            FROM stock_movement m LEFT JOIN orders o ON o.id = m.order_id
            LEFT JOIN orders_item i ON i.order_id = m.order_id AND i.product_id = m.product_id
            WHERE \(slice("m.product_id")) AND m.cause = 'CANCEL'
                AND (i.order_id IS NULL OR NOT o.status <=> 'CANCELED')
            """))

    // MARK: - Events and sales

    private static let deliveries = AuditCheck(
        by: "id", of: "delivery",
        Question(
            .orphans, "delivery",
            """
            SELECT delivery.id, 'is of an event that does not exist'
            FROM delivery LEFT JOIN outbox e ON e.id = delivery.event_id
            WHERE \(slice("delivery.id")) AND e.id IS NULL
            """))

    private static let sales = [
        AuditCheck(
            by: "product_id", of: "sale_window",
            Question(
                .sales, "product",
                """
                SELECT sale_window.product_id, CONCAT('sold ', MAX(sale_window.quantity),
                    ' in the window, and ', COALESCE(SUM(h.quantity), 0), ' in its hours')
                FROM sale_window
                LEFT JOIN sale_hourly h ON h.product_id = sale_window.product_id
                WHERE \(slice("sale_window.product_id")) GROUP BY sale_window.product_id
                HAVING MAX(sale_window.quantity) <> COALESCE(SUM(h.quantity), 0)
                """)),
        AuditCheck(
            by: "product_id", of: "sale_hourly",
            Question(
                .sales, "product",
                """
                SELECT DISTINCT h.product_id, 'sold in some hours, and not in the window'
                FROM sale_hourly h LEFT JOIN sale_window w ON w.product_id = h.product_id
                WHERE \(slice("h.product_id")) AND w.product_id IS NULL
                """)),
    ]
}
