import MariaDB

/// What the service does to its tables, done to no row: so that a server which would refuse it, because
/// it is read-only or the user's rights are not those of `sql/service-user.sh`, says so beforehand.
enum Rehearsal {
    private static let read = """
        SELECT 1 FROM users, product, stock, orders, orders_item, payment_history, stock_movement,
            idempotency_key, sale_hourly, sale_window, outbox, delivery, webhook_endpoint, notification,
            order_id, payment_id
        WHERE FALSE
        """

    private static let writes = [
        "UPDATE users SET point = point, version = version WHERE id = 0",
        "UPDATE stock SET quantity = quantity, version = version WHERE product_id = 0",
        "UPDATE orders SET status = status, version = version WHERE id = 0",
        "UPDATE sale_hourly SET quantity = quantity WHERE hour = '1970-01-01' AND product_id = 0",
        "UPDATE sale_window SET quantity = quantity WHERE product_id = 0",
        "UPDATE outbox SET dispatched_at = dispatched_at WHERE id = '00000000-0000-0000-0000-000000000000'",
        "UPDATE delivery SET state = state, attempts = attempts WHERE id = 0",
        "INSERT INTO orders (id, user_id, total_price, created_at) SELECT 0, 0, 0, '' \(nowhere)",
        "INSERT INTO orders_item (order_id, product_id, quantity, price) SELECT 0, 0, 0, 0 \(nowhere)",
        """
        INSERT INTO payment_history (id, user_id, order_id, total_price, pay_method, status)
        SELECT 0, 0, 0, 0, '', '' \(nowhere)
        """,
        """
        INSERT INTO stock_movement (product_id, order_id, cause, quantity)
        SELECT 0, 0, '', 0 \(nowhere)
        """,
        """
        INSERT INTO idempotency_key
            (user_id, scope, idem_key, order_id, fingerprint, status, response)
        SELECT 0, '', '', 0, '', 0, '' \(nowhere)
        """,
        "INSERT INTO sale_hourly (hour, product_id, quantity) SELECT '', 0, 0 \(nowhere)",
        "INSERT INTO sale_window (product_id, quantity) SELECT 0, 0 \(nowhere)",
        """
        INSERT INTO outbox (id, aggregate, aggregate_id, type, version, payload, created_at)
        SELECT '', '', 0, '', 0, '', '' \(nowhere)
        """,
    ]

    private static let nowhere = "FROM DUAL WHERE FALSE"

    /// A table that somebody alters or locks is passed over, not waited for: that ends by itself.
    ///
    /// - Throws: `DatabaseError`, the first that a statement gets.
    static func run(on connection: Connection) throws(DatabaseError) {
        for statement in [read] + writes {
            do throws(DatabaseError) {
                try connection.execute("SET STATEMENT lock_wait_timeout = 0 FOR \(statement)")
            } catch {
                if !error.isLockTimeout { throw error }
            }
        }
    }
}
