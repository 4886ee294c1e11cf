import Commerce
import MariaDB

extension Writes {
    /// Writes all rows of a plan, within the caller's transaction.
    ///
    /// Users come first: inserting a user's order takes a shared lock on the user (its foreign
    /// key), and two transactions that both held it could not both go on to change the points.
    /// Canceled orders follow, before their payments lock them in the same way. What all buyers of
    /// a product meet at comes last: the sums of its sales, then its stock. Rows of one table are
    /// written in ascending order, so that no two transactions wait for each other.
    ///
    /// - Parameter now: of the batch's orders and of their sales alike: a cancel takes an order's
    ///   units out of the hour that the order names, even where the batch was written as an hour
    ///   ended.
    /// - Throws: `LostRace` when a user, an order or a stock is not as it was read any more.
    func write(on connection: Connection, at now: Moment, _ renderer: Renderer) throws {
        guard !isEmpty else { return }
        try writePoints(on: connection)
        try writeCancels(on: connection)
        try writeOrders(on: connection, at: now)
        try writePayments(on: connection)
        try writeKeys(on: connection, renderer)
        try writeEvents(on: connection, at: now)
        try writeMovements(on: connection)
        try writeSales(on: connection, at: now)
        try writeStock(on: connection)
    }

    private func writePoints(on connection: Connection) throws {
        let rows = users.values.sorted { $0.id < $1.id }.map { user in
            [.integer(user.points.amount), .integer(user.id.number), .integer(user.version)]
                as [Value]
        }
        let written = try connection.executeBulk(
            "UPDATE users SET point = ?, version = version + 1 WHERE id = ? AND version = ?", rows)
        if written != rows.count { throw LostRace() }
    }

    private func writeCancels(on connection: Connection) throws {
        let rows = canceled.sorted { $0.order.id < $1.order.id }.map { placed in
            [.integer(placed.order.id.number), .integer(placed.version)] as [Value]
        }
        let written = try connection.executeBulk(
            """
            UPDATE orders SET status = 'CANCELED', version = version + 1
            WHERE id = ? AND version = ? AND status = 'PAID'
            """, rows)
        if written != rows.count { throw LostRace() }
    }

    private func writeOrders(on connection: Connection, at now: Moment) throws {
        _ = try connection.executeBulk(
            "INSERT INTO orders (id, user_id, total_price, created_at) VALUES (?, ?, ?, ?)",
            orders.map { order in
                [
                    .integer(order.id.number), .integer(order.user.number),
                    .integer(order.total.amount), .text(now.text),
                ]
            })
        let lines = orders.flatMap { order in
            order.lines.map { line in
                [
                    .integer(order.id.number), .integer(line.product.number),
                    .integer(line.quantity), .integer(line.price.amount),
                ] as [Value]
            }
        }
        _ = try connection.executeBulk(
            "INSERT INTO orders_item (order_id, product_id, quantity, price) VALUES (?, ?, ?, ?)",
            lines)
    }

    private func writePayments(on connection: Connection) throws {
        let rows = payments.map { payment in
            [
                .integer(payment.id.number), .integer(payment.user.number),
                payment.purpose.order.map { .integer($0.number) } ?? .null,
                .integer(payment.amount.amount), .text(payment.purpose.method),
                .text(payment.purpose.status),
            ] as [Value]
        }
        _ = try connection.executeBulk(
            """
            INSERT INTO payment_history (id, user_id, order_id, total_price, pay_method, status)
            VALUES (?, ?, ?, ?, ?, ?)
            """, rows)
    }

    private func writeKeys(on connection: Connection, _ renderer: Renderer) throws {
        let rows = keys.map { used in
            let answer = renderer.receipt(used.receipt)
            let key = used.idempotency.key
            return [
                .integer(key.user.number), .text(key.scope.name), .text(key.text),
                .integer(key.scope.orderNumber),
                .bytes(used.idempotency.fingerprint), .integer(Int64(answer.status)),
                .bytes(answer.body),
            ] as [Value]
        }
        do throws(DatabaseError) {
            _ = try connection.executeBulk(
                """
                INSERT INTO idempotency_key
                    (user_id, scope, idem_key, order_id, fingerprint, status, response)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """, rows)
        } catch {
            // A duplicate: the same key was committed meanwhile, and its answer is there to read.
            throw error.kind == .duplicateKey ? LostRace() : error
        }
    }

    /// Writes down why the stock changes: a row for each line of an order that is placed or canceled.
    private func writeMovements(on connection: Connection) throws(DatabaseError) {
        let lines =
            orders.flatMap { order in order.lines.map { (order.id, $0, "ORDER", -$0.quantity) } }
            + canceled.map(\.order).flatMap { order in
                order.lines.map { (order.id, $0, "CANCEL", $0.quantity) }
            }
        let rows = lines.sorted { ($0.1.product, $0.0) < ($1.1.product, $1.0) }
            .map { order, line, cause, units in
                [
                    .integer(line.product.number), .integer(order.number), .text(cause),
                    .integer(units),
                ] as [Value]
            }
        _ = try connection.executeBulk(
            "INSERT INTO stock_movement (product_id, order_id, cause, quantity) VALUES (?, ?, ?, ?)",
            rows)
    }

    private func writeStock(on connection: Connection) throws {
        let rows = products.values.sorted { $0.id < $1.id }.map { product in
            [
                .integer(product.stock), .integer(product.id.number),
                .integer(product.version.stock),
            ] as [Value]
        }
        let written = try connection.executeBulk(
            """
            UPDATE stock SET quantity = ?, version = version + 1
            WHERE product_id = ? AND version = ?
            """, rows)
        if written != rows.count { throw LostRace() }
    }
}
