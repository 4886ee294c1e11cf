import Commerce
import MariaDB

extension Writes {
    /// Writes all rows of a plan, within the caller's transaction.
    ///
    /// Users come first: inserting a user's order takes a shared lock on the user (its foreign
    /// key), and two transactions that both held it could not both go on to change the points.
    /// What all buyers of a product meet at comes last: the sums of its sales, then its stock.
    /// Rows of one table are written in ascending order, so that no two transactions wait for each
    /// other.
    ///
    /// - Throws: `LostRace` when a user or a stock is not as it was read any more.
    func write(on connection: Connection, _ renderer: Renderer) throws {
        guard !isEmpty else { return }
        try writePoints(on: connection)
        try writeOrders(on: connection)
        try writePayments(on: connection)
        try writeKeys(on: connection, renderer)
        try writeSales(on: connection)
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

    private func writeOrders(on connection: Connection) throws {
        _ = try connection.executeBulk(
            "INSERT INTO orders (id, user_id, total_price) VALUES (?, ?, ?)",
            orders.map { order in
                [
                    .integer(order.id.number), .integer(order.user.number),
                    .integer(order.total.amount),
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
                payment.purpose.orderValue, .integer(payment.amount.amount),
                .text(payment.purpose.method),
            ] as [Value]
        }
        _ = try connection.executeBulk(
            """
            INSERT INTO payment_history (id, user_id, order_id, total_price, pay_method, status)
            VALUES (?, ?, ?, ?, ?, 'COMPLETED')
            """, rows)
    }

    private func writeKeys(on connection: Connection, _ renderer: Renderer) throws {
        let rows = keys.map { used in
            let answer = renderer.receipt(used.receipt)
            let key = used.idempotency.key
            return [
                .integer(key.user.number), .text(key.scope.rawValue), .text(key.text),
                .bytes(used.idempotency.fingerprint), .integer(Int64(answer.status)),
                .bytes(answer.body),
            ] as [Value]
        }
        do throws(DatabaseError) {
            _ = try connection.executeBulk(
                """
                INSERT INTO idempotency_key
                    (user_id, scope, idem_key, fingerprint, status, response)
                VALUES (?, ?, ?, ?, ?, ?)
                """, rows)
        } catch {
            // A duplicate: the same key was committed meanwhile, and its answer is there to read.
            throw error.kind == .duplicateKey ? LostRace() : error
        }
    }

    private func writeSales(on connection: Connection) throws {
        let rows = unitsSold.sorted { $0.key < $1.key }.map { product, units in
            [.integer(product.number), .integer(units)] as [Value]
        }
        _ = try connection.executeBulk(
            """
            INSERT INTO sale_hourly (hour, product_id, quantity)
            VALUES (DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%d %H:00:00'), ?, ?)
            ON DUPLICATE KEY UPDATE quantity = quantity + VALUES(quantity)
            """, rows)
        _ = try connection.executeBulk(
            """
            INSERT INTO sale_window (product_id, quantity) VALUES (?, ?)
            ON DUPLICATE KEY UPDATE quantity = quantity + VALUES(quantity)
            """, rows)
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

extension Payment.Purpose {
    /// As `payment_history.pay_method` has it.
    fileprivate var method: String {
        switch self {
        case .charge: "CHARGE"
        case .order: "POINT"
        }
    }

    fileprivate var orderValue: Value {
        switch self {
        case .charge: .null
        case .order(let id): .integer(id.number)
        }
    }
}
