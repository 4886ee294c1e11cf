import Commerce
import MariaDB

/// One order as one transaction, with the statements that `Store` commits batches with: order,
/// line, payment, event, movement, sales, points and stock.
///
/// Written once for all strategies, which differ only in what they do around and about it.
struct OrderTransaction {
    /// Whether points and stock stay locked from reading them to the transaction's end.
    enum Reading {
        case plain
        case locking
    }

    /// What the rows of points and stock have to be like when they are written.
    enum Writing {
        /// Like anything: what others wrote meanwhile is overwritten.
        case unconditional
        /// As they were read, or the race is lost.
        case versioned
    }

    let purchase: Purchase
    let reading: Reading
    let writing: Writing

    private struct Seen {
        let points: Int64
        let userVersion: Int64
        let price: Int64
        let stock: Int64
        let stockVersion: Int64
    }

    private struct NumberPair {
        let order: Int64
        let payment: Int64
    }

    /// - Throws: `LostRace`, or what the database says; then nothing has happened.
    func commit(on connection: Connection) throws -> Sale {
        try connection.transaction { connection in
            let seen = try read(on: connection)
            guard seen.stock > 0 else { return .soldOut }
            guard seen.points >= seen.price else { throw BenchError("a buyer has no points") }
            let numbers = try drawNumbers(on: connection)
            try writePoints(seen, on: connection)
            try insert(numbers, seen, on: connection)
            try writeMovement(numbers, on: connection)
            try writeSales(on: connection)
            try writeStock(seen, on: connection)
            return .sold(OrderID(numbers.order))
        }
    }

    private var user: Value { .integer(purchase.user.number) }
    private var product: Value { .integer(purchase.product.number) }

    private func read(on connection: Connection) throws -> Seen {
        let suffix =
            switch reading {
            case .plain: ""
            case .locking: " FOR UPDATE"
            }
        let points = try connection.query(
            "SELECT id, name, hp_no, point, version FROM users WHERE id = ? AND NOT is_delete"
                + suffix, [user]
        ) { row throws(DatabaseError) in (try row.integer(3), try row.integer(4)) }
        if reading == .locking {
            try connection.execute(
                "SELECT product_id FROM stock WHERE product_id = ? FOR UPDATE", [product])
        }
        let products = try connection.query(
            """
            SELECT p.id, p.name, p.price, s.quantity, s.version, p.version
            FROM product p JOIN stock s ON s.product_id = p.id
            WHERE p.id = ? AND NOT p.is_delete AND NOT s.is_delete
            """, [product]
        ) { row throws(DatabaseError) in
            (try row.integer(2), try row.integer(3), try row.integer(4))
        }
        guard let (points, userVersion) = points.first,
            let (price, stock, stockVersion) = products.first
        else { throw BenchError("a buyer or a product is missing; script/bench makes them") }
        return Seen(
            points: points, userVersion: userVersion, price: price, stock: stock,
            stockVersion: stockVersion)
    }

    private func drawNumbers(on connection: Connection) throws -> NumberPair {
        let drawn = try connection.query(
            "SELECT NEXT VALUE FOR order_id, NEXT VALUE FOR payment_id"
        ) { row throws(DatabaseError) in
            NumberPair(order: try row.integer(0), payment: try row.integer(1))
        }
        guard let numbers = drawn.first else { throw BenchError("no numbers were drawn") }
        return numbers
    }

    private func writePoints(_ seen: Seen, on connection: Connection) throws {
        try update(
            "UPDATE users SET point = ?, version = version + 1 WHERE id = ?",
            [.integer(seen.points - seen.price), user], version: seen.userVersion, on: connection)
    }

    private func insert(
        _ numbers: NumberPair, _ seen: Seen, on connection: Connection
    ) throws {
        let order = Value.integer(numbers.order)
        let price = Value.integer(seen.price)
        try connection.execute(
            "INSERT INTO orders (id, user_id, total_price) VALUES (?, ?, ?)", [order, user, price])
        try connection.execute(
            "INSERT INTO orders_item (order_id, product_id, quantity, price) VALUES (?, ?, 1, ?)",
            [order, product, price])
        try connection.execute(
            """
            INSERT INTO payment_history (id, user_id, order_id, total_price, pay_method, status)
            VALUES (?, ?, ?, ?, 'POINT', 'COMPLETED')
            """, [.integer(numbers.payment), user, order, price])
        try connection.execute(
            """
            INSERT INTO outbox
                (id, aggregate, aggregate_id, type, version, payload, created_at)
            VALUES (UUID(), 'ORDER', ?, 'order.paid', 1,
                JSON_OBJECT('orderId', ?, 'userId', ?, 'totalPrice', ?), UTC_TIMESTAMP(6))
            """, [order, order, user, price])
    }

    private func writeMovement(_ numbers: NumberPair, on connection: Connection) throws {
        try connection.execute(
            """
            INSERT INTO stock_movement (product_id, order_id, cause, quantity)
            VALUES (?, ?, 'ORDER', -1)
            """, [product, .integer(numbers.order)])
    }

    private func writeSales(on connection: Connection) throws {
        try connection.execute(
            """
            INSERT INTO sale_hourly (hour, product_id, quantity)
            VALUES (DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%d %H:00:00'), ?, 1)
            ON DUPLICATE KEY UPDATE quantity = quantity + VALUES(quantity)
            """, [product])
        try connection.execute(
            """
            INSERT INTO sale_window (product_id, quantity) VALUES (?, 1)
            ON DUPLICATE KEY UPDATE quantity = quantity + VALUES(quantity)
            """, [product])
    }

    private func writeStock(_ seen: Seen, on connection: Connection) throws {
        try update(
            "UPDATE stock SET quantity = ?, version = version + 1 WHERE product_id = ?",
            [.integer(seen.stock - 1), product], version: seen.stockVersion, on: connection)
    }

    private func update(
        _ sql: String, _ values: [Value], version: Int64, on connection: Connection
    ) throws {
        let written =
            switch writing {
            case .unconditional: try connection.execute(sql, values)
            case .versioned:
                try connection.execute(sql + " AND version = ?", values + [.integer(version)])
            }
        if written != 1 { throw LostRace() }
    }
}
