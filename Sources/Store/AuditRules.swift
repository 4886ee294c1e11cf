// What the audit asks. A key that is compared with `slice` has an index that begins with it.

extension AuditCheck {
    /// First the sales: when an audit begins, the latest order, or one before it, may still be on its
    /// way. Then what takes the longer the more was sold meanwhile.
    static let all = [sales, stock, accounts, orders, deliveries]

    /// Finds the rows that make a tally uneven: cut by product or user, both its tables can be held
    /// against each other, for twice the price.
    static func behind(_ tally: AuditTally) -> AuditCheck {
        switch tally {
        case .units: units
        case .debits: debits
        }
    }

    /// The rows of a slice, by a column that has its key, a number. (One comparison of three numbers
    /// takes less than two comparisons.)
    private static func slice(_ column: String) -> String {
        "\(column) BETWEEN :after + 1 AND :through"
    }

    /// The same where the key is an event's.
    private static func eventSlice(_ column: String) -> String {
        "(\(column) > :after AND \(column) <= :through)"
    }

    /// A factor, above zero, that hardly two keys have in common.
    private static func weight(_ key: String) -> String { "(CRC32(\(key)) | 1)" }

    /// A sum in which each row has a weight of its own, so that what one row lacks no other makes up
    /// for, but for one case in two thousand million. (A DECIMAL, because a product of two BIGINT may
    /// be too large.)
    private static func weighed(_ number: String, by key: String) -> String {
        "COALESCE(SUM(CAST(\(number) AS DECIMAL(20)) * \(weight(key))), 0)"
    }

    /// The same for many rows, at half the price: a DOUBLE. It is exact, as nothing in it is below
    /// zero, if it ends up below ``exactEnd``. Its weights have 16 bits, so that it mostly does.
    private static func weighedAsDouble(_ factors: String, by key: String) -> String {
        "COALESCE(SUM(1e0 * \(factors) * (CRC32(\(key)) & 65535 | 1)), 0)"
    }

    /// 2^53, up to which a DOUBLE has each whole number.
    private static let exactEnd = 9_007_199_254_740_992

    /// What a row is known by, in 64 bits: many make one number by BIT_XOR, which costs a fraction of a
    /// sum. A product, because CRC32 alone is linear, and two rows that exchange their numbers would
    /// look the same.
    private static func fingerprint(of key: String, _ number: String, _ amount: String) -> String {
        "CRC32(\(key)) * CRC32(\(number), \(amount))"
    }

    private static func combined(_ fingerprints: String) -> String {
        "CAST(BIT_XOR(\(fingerprints)) AS SIGNED)"
    }

    // MARK: - Users: their points, and what they paid for

    private static let debitOfLatest = "status = 'COMPLETED' AND order_id <= :latest"
    private static let paidPrint = fingerprint(of: "order_id", "user_id", "total_price")
    private static let placedPrint = fingerprint(of: "id", "user_id", "total_price")

    /// Three tables, each read once in the order of the users. A charge is of no order.
    private static let accountsAgree = """
        SELECT held.points = opened.points + paid.points AND paid.users = paid.payers,
            paid.refunded, paid.number, paid.print
        FROM (SELECT \(weighed("point", by: "id")) AS points
            FROM users WHERE \(slice("id"))) AS held,
        (SELECT \(weighed("amount", by: "user_id")) AS points
            FROM point_adjustment WHERE \(slice("user_id"))) AS opened,
        (SELECT COUNT(*) AS payers, COUNT(u.id) AS users,
                COALESCE(SUM(payer.points * \(weight("payer.user_id"))), 0) AS points,
                BIT_OR(payer.refunded) AS refunded,
                COALESCE(SUM(payer.orders), 0) AS number, \(combined("payer.print")) AS print
            FROM (SELECT user_id,
                    SUM(IF(pay_method = 'CHARGE' OR status = 'REFUNDED', total_price,
                        -total_price)) AS points,
                    BIT_OR(status = 'REFUNDED') AS refunded,
                    COUNT(IF(\(debitOfLatest), 1, NULL)) AS orders,
                    BIT_XOR(IF(\(debitOfLatest), \(paidPrint), NULL)) AS print
                FROM payment_history FORCE INDEX (payment_history_by_user)
                WHERE \(slice("user_id")) GROUP BY user_id) AS payer
            LEFT JOIN users u ON u.id = payer.user_id) AS paid
        """

    private static let accounts = AuditCheck(
        by: "id", of: "users", unless: accountsAgree, adding: [(.debits, -1)],
        ofCancels: [
            Question(
                .cancel, "payment",
                """
                SELECT p.id, CONCAT('gives order ', p.order_id, ' back, which ',
                    IF(o.id IS NULL, 'does not exist', 'is not canceled'))
                FROM payment_history p FORCE INDEX (payment_history_by_user)
                LEFT JOIN orders o ON o.id = p.order_id
                WHERE \(slice("p.user_id")) AND p.status = 'REFUNDED'
                    AND NOT o.status <=> 'CANCELED'
                """)
        ],
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
            """),
        // That an order's user exists goes without asking: its payment is of the same user.
        Question(
            .orphans, "payment",
            """
            SELECT p.id, CONCAT('is of user ', p.user_id, ', who does not exist')
            FROM payment_history p FORCE INDEX (payment_history_by_user)
            LEFT JOIN users u ON u.id = p.user_id
            WHERE \(slice("p.user_id")) AND u.id IS NULL
            """))

    /// Debits and orders, user by user.
    private static let debitsAgree = """
        SELECT paid.number = placed.number AND paid.print = placed.print, 0
        FROM (SELECT COUNT(*) AS number, \(combined(paidPrint)) AS print
            FROM payment_history FORCE INDEX (payment_history_by_user)
            WHERE \(slice("user_id")) AND status = 'COMPLETED' AND order_id IS NOT NULL) AS paid,
        (SELECT COUNT(*) AS number, \(combined(placedPrint)) AS print
            FROM orders FORCE INDEX (orders_by_user) WHERE \(slice("user_id"))) AS placed
        """

    private static let debits = AuditCheck(
        by: "id", of: "users", unless: debitsAgree,
        Question(
            .orphans, "payment",
            """
            SELECT p.id, CONCAT('is for order ', p.order_id, ', which does not exist')
            FROM payment_history p FORCE INDEX (payment_history_by_user)
            LEFT JOIN orders o ON o.id = p.order_id
            WHERE \(slice("p.user_id")) AND p.status = 'COMPLETED' AND p.order_id IS NOT NULL
                AND o.id IS NULL
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
            FROM orders FORCE INDEX (orders_by_user) LEFT JOIN payment_history p
                ON p.order_id = orders.id AND p.status = 'COMPLETED'
            WHERE \(slice("orders.user_id")) GROUP BY orders.id
            HAVING COUNT(p.id) <> 1 OR MAX(p.user_id) <> MAX(orders.user_id)
                OR MAX(p.total_price) <> MAX(orders.total_price)
            """))

    // MARK: - Orders: their lines and events

    /// From when on events must be there: they are kept for some time, and before their table there
    /// were none.
    private static let eventsSince = """
        GREATEST(UTC_TIMESTAMP(6) - INTERVAL :hours HOUR,
            (SELECT applied_at FROM schema_migrations WHERE number = 7))
        """

    /// Three tables, each read once in the order of the orders. The events agree where all are there,
    /// or where none is and none must be. An order was last changed when it was canceled, or later.
    /// What costs nothing adds nothing to a sum, and is looked at.
    private static let ordersAgree = """
        SELECT COALESCE(placed.worth = sold.worth AND placed.worth < \(exactEnd)
            AND placed.cheapest > 0 AND sold.cheapest > 0
            AND (told.number = placed.number + placed.canceled AND told.print = placed.events
                OR told.number = 0 AND NOT EXISTS (SELECT 1 FROM orders
                    WHERE \(slice("id")) AND updated_at > \(eventsSince))),
            sold.number = 0 AND told.number = 0), placed.canceled, sold.number, sold.print,
            placed.number, placed.print
        FROM (SELECT COUNT(*) AS number, \(combined(placedPrint)) AS print,
                \(weighedAsDouble("total_price", by: "id")) AS worth, MIN(total_price) AS cheapest,
                COUNT(IF(status = 'CANCELED', 1, NULL)) AS canceled,
                BIT_XOR(CRC32(id) * CRC32('order.paid')) ^ BIT_XOR(IF(status = 'CANCELED',
                    CRC32(id) * CRC32('order.cancelled'), NULL)) AS events
            FROM orders WHERE \(slice("id"))) AS placed,
        (SELECT COUNT(*) AS number, \(combined(soldPrint)) AS print,
                \(weighedAsDouble("quantity * price", by: "order_id")) AS worth,
                MIN(price) AS cheapest
            FROM orders_item WHERE \(slice("order_id"))) AS sold,
        (SELECT COUNT(*) AS number, BIT_XOR(CRC32(aggregate_id) * CRC32(type)) AS print
            FROM outbox WHERE aggregate = 'ORDER' AND \(slice("aggregate_id"))) AS told
        """

    /// Of lines, events and payments without an order, too.
    static let latestOrder = """
        SELECT GREATEST((SELECT COALESCE(MAX(id), 0) FROM orders),
            (SELECT COALESCE(MAX(order_id), 0) FROM orders_item),
            (SELECT COALESCE(MAX(order_id), 0) FROM payment_history),
            (SELECT COALESCE(MAX(aggregate_id), 0) FROM outbox WHERE aggregate = 'ORDER'))
        """

    private static let orders = AuditCheck(
        by: "id", of: "orders", endsAtLatestOrder: true, unless: ordersAgree,
        adding: [(.units, 1), (.debits, 1)],
        ofCancels: [
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
        ],
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
            SELECT orders.id, CONCAT('has ', COUNT(DISTINCT e.id), ' events of its cancel')
            FROM orders
            JOIN payment_history p ON p.order_id = orders.id AND p.status = 'REFUNDED'
            LEFT JOIN outbox e ON e.aggregate = 'ORDER'
                AND e.aggregate_id = orders.id AND e.type = 'order.cancelled'
            WHERE \(slice("orders.id")) AND orders.status = 'CANCELED'
                AND p.created_at > \(eventsSince)
            GROUP BY orders.id HAVING COUNT(DISTINCT e.id) <> 1
            """),
        Question(
            .orphans, "order",
            """
            SELECT DISTINCT i.order_id, 'has lines and does not exist'
            FROM orders_item i LEFT JOIN orders o ON o.id = i.order_id
            WHERE \(slice("i.order_id")) AND o.id IS NULL
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

    /// Of an order, and not of its cancel: the CHECK of the table knows no other. (That the cause is
    /// 'ORDER' is text, which takes longer to compare. Whatever has a wrong sign is no line's.)
    private static let leaving = "order_id BETWEEN 1 AND :latest AND quantity < 0"
    private static let leftPrint = fingerprint(of: "order_id", "product_id", "-quantity")
    private static let soldPrint = fingerprint(of: "order_id", "product_id", "quantity")

    /// Movements of later orders have no line, and so no part in a tally.
    private static let latestLine = "(SELECT COALESCE(MAX(order_id), 0) FROM orders_item)"

    /// A product without stock or movements is right, and makes a slice look wrong.
    private static let stockAgrees = """
        SELECT moved.products = left_over.products AND moved.print = left_over.print
            AND moved.units = left_over.units AND moved.latest <= \(latestLine),
            moved.canceled, moved.orders, moved.left_print
        FROM (SELECT COUNT(*) AS products, \(combined("CRC32(product_id)")) AS print,
                COALESCE(SUM(units * \(weight("product_id"))), 0) AS units,
                COALESCE(MAX(latest), 0) AS latest, BIT_OR(canceled) AS canceled,
                COALESCE(SUM(orders), 0) AS orders, \(combined("left_print")) AS left_print
            FROM (SELECT product_id, SUM(quantity) AS units, MAX(order_id) AS latest,
                    BIT_OR(cause = 'CANCEL') AS canceled,
                    COUNT(IF(\(leaving), 1, NULL)) AS orders,
                    BIT_XOR(IF(\(leaving), \(leftPrint), NULL)) AS left_print
                FROM stock_movement WHERE \(slice("product_id")) GROUP BY product_id) AS product)
            AS moved,
        (SELECT COUNT(*) AS products, \(combined("CRC32(product_id)")) AS print,
                \(weighed("quantity", by: "product_id")) AS units
            FROM stock WHERE \(slice("product_id"))) AS left_over
        """

    private static let stock = AuditCheck(
        by: "product_id", of: "stock", unless: stockAgrees, adding: [(.units, -1)],
        ofCancels: [
            Question(
                .cancel, "product",
                """
                SELECT m.product_id, CONCAT('has units back of order ', m.order_id,
                    IF(i.order_id IS NULL, ', which has no line of it', ', which is not canceled'))
                FROM stock_movement m LEFT JOIN orders o ON o.id = m.order_id
                LEFT JOIN orders_item i ON i.order_id = m.order_id AND i.product_id = m.product_id
                WHERE \(slice("m.product_id")) AND m.cause = 'CANCEL'
                    AND (i.order_id IS NULL OR NOT o.status <=> 'CANCELED')
                """)
        ],
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
            .orphans, "product",
            """
            SELECT m.product_id, IF(s.product_id IS NULL, 'has movements and no stock',
                CONCAT('has a movement of order ', m.order_id, ', which has no line of it'))
            FROM stock_movement m LEFT JOIN stock s ON s.product_id = m.product_id
            WHERE \(slice("m.product_id")) AND (s.product_id IS NULL
                OR m.order_id > \(latestLine))
            """))

    /// Movements out of the stock and lines, product by product.
    private static let unitsAgree = """
        SELECT moved.number = sold.number AND moved.print = sold.print, 0
        FROM (SELECT COUNT(*) AS number, \(combined(leftPrint)) AS print
            FROM stock_movement WHERE \(slice("product_id")) AND cause = 'ORDER') AS moved,
        (SELECT COUNT(*) AS number, \(combined(soldPrint)) AS print
            FROM orders_item FORCE INDEX (orders_item_by_product)
            WHERE \(slice("product_id"))) AS sold
        """

    private static let units = AuditCheck(
        by: "product_id", of: "stock", unless: unitsAgree,
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
            SELECT m.product_id, CONCAT('has a movement of order ', m.order_id,
                ', which has no line of it')
            FROM stock_movement m LEFT JOIN orders_item i FORCE INDEX (orders_item_by_product)
                ON i.order_id = m.order_id AND i.product_id = m.product_id
            WHERE \(slice("m.product_id")) AND m.cause = 'ORDER' AND i.order_id IS NULL
                AND m.order_id <= \(latestLine)
            """))

    // MARK: - Events and sales

    private static let eventPrint = "CRC32(event_id) * CRC32C(event_id)"

    /// A target mostly has all events of a slice: events are dispatched to every target that is on.
    /// Looking up the event of each delivery costs twice as much.
    private static let deliveriesAgree = """
        SELECT COALESCE(MIN(target.number = told.number AND target.print = told.print), 1), 0
        FROM (SELECT target_id, COUNT(*) AS number, \(combined(eventPrint)) AS print
            FROM delivery FORCE INDEX (delivery_once_a_target)
            WHERE \(eventSlice("event_id")) GROUP BY target_id) AS target,
        (SELECT COUNT(*) AS number, \(combined("CRC32(id) * CRC32C(id)")) AS print
            FROM outbox FORCE INDEX (PRIMARY)
            WHERE \(eventSlice("id")) AND dispatched_at IS NOT NULL) AS told
        """

    private static let deliveries = AuditCheck(
        by: "event_id", .uuid, of: "delivery", unless: deliveriesAgree,
        Question(
            .orphans, "delivery",
            """
            SELECT delivery.id, 'is of an event that does not exist'
            FROM delivery FORCE INDEX (delivery_once_a_target)
            LEFT JOIN outbox e ON e.id = delivery.event_id
            WHERE \(eventSlice("delivery.event_id")) AND e.id IS NULL
            """))

    /// The hours that may be in the window, in Universal Time: read one after the other, an hour's
    /// products are beside each other. An older one, which nobody has taken out yet, makes a slice
    /// look wrong and its rows looked at.
    private static let hours = (-1...80)
        .map { "TIMESTAMP(UTC_DATE(), MAKETIME(HOUR(UTC_TIMESTAMP()) - \($0), 0, 0))" }
        .joined(separator: ", ")

    private static let salesAgree = """
        SELECT sold.units = shown.units AND sold.units < \(exactEnd), 0
        FROM (SELECT \(weighedAsDouble("quantity", by: "product_id")) AS units
            FROM sale_hourly FORCE INDEX (PRIMARY)
            WHERE hour IN (\(hours)) AND \(slice("product_id"))) AS sold,
        (SELECT \(weighedAsDouble("quantity", by: "product_id")) AS units
            FROM sale_window WHERE \(slice("product_id"))) AS shown
        """

    /// To find so many hours takes half a millisecond, however few products a slice has.
    private static let sales = AuditCheck(
        by: "product_id", of: "sale_window", extentMin: 500, unless: salesAgree,
        Question(
            .sales, "product",
            """
            SELECT sale_window.product_id, CONCAT('sold ', MAX(sale_window.quantity),
                ' in the window, and ', COALESCE(SUM(h.quantity), 0), ' in its hours')
            FROM sale_window
            LEFT JOIN sale_hourly h ON h.product_id = sale_window.product_id
            WHERE \(slice("sale_window.product_id")) GROUP BY sale_window.product_id
            HAVING MAX(sale_window.quantity) <> COALESCE(SUM(h.quantity), 0)
            """),
        Question(
            .sales, "product",
            """
            SELECT DISTINCT h.product_id, 'sold in some hours, and not in the window'
            FROM sale_hourly h LEFT JOIN sale_window w ON w.product_id = h.product_id
            WHERE \(slice("h.product_id")) AND h.quantity > 0 AND w.product_id IS NULL
            """))
}
