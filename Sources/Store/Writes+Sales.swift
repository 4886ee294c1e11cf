import Commerce
import MariaDB

extension Writes {
    /// Counts the units of new orders into the hour of `now` and into the window, and those of
    /// canceled orders out of theirs.
    ///
    /// An hour that has left the window took its units along: then a cancel has nothing to do. The
    /// locks on the hours that are still there make sure that they stay until the window, too, is
    /// written. The hours come first and the window second, as whoever expires them does it.
    func writeSales(on connection: Connection, at now: Moment) throws {
        let sold = unitsSold.sorted { $0.key < $1.key }
        _ = try connection.executeBulk(
            """
            INSERT INTO sale_hourly (hour, product_id, quantity) VALUES (?, ?, ?)
            ON DUPLICATE KEY UPDATE quantity = quantity + VALUES(quantity)
            """,
            sold.map { product, units in
                [.text(now.hour.text), .integer(product.number), .integer(units)]
            })
        let returned = try takeOutOfHours(on: connection)
        _ = try connection.executeBulk(
            """
            INSERT INTO sale_window (product_id, quantity) VALUES (?, ?)
            ON DUPLICATE KEY UPDATE quantity = quantity + VALUES(quantity)
            """, sold.map { product, units in [.integer(product.number), .integer(units)] })
        _ = try connection.executeBulk(
            "UPDATE sale_window SET quantity = quantity - ? WHERE product_id = ?",
            returned.sorted { $0.key < $1.key }.map { product, units in
                [.integer(units), .integer(product.number)]
            })
    }

    /// - Returns: the units that were still counted.
    private func takeOutOfHours(on connection: Connection) throws -> [ProductID: Int64] {
        var returned: [ProductID: Int64] = [:]
        for (hour, orders) in Dictionary(grouping: canceled, by: \.placedAt.hour)
            .sorted(by: { $0.key < $1.key })
        {
            let lines = orders.flatMap(\.order.lines).map { ($0.product, $0.quantity) }
            let units = Dictionary(lines, uniquingKeysWith: +)
            let counted = try Self.lockHour(hour, of: units.keys.sorted(), on: connection)
            _ = try connection.executeBulk(
                """
                UPDATE sale_hourly SET quantity = quantity - ? WHERE hour = ? AND product_id = ?
                """,
                counted.map { product in
                    [
                        .integer(units[product] ?? 0), .text(hour.text), .integer(product.number),
                    ]
                })
            for product in counted { returned[product, default: 0] += units[product] ?? 0 }
        }
        return returned
    }

    /// - Returns: the products whose units are still counted in that hour, in ascending order.
    private static func lockHour(
        _ hour: Moment, of products: [ProductID], on connection: Connection
    ) throws(DatabaseError) -> [ProductID] {
        try Batch.asking(about: products.map(\.value)) { places, products throws(DatabaseError) in
            try connection.query(
                """
                SELECT product_id FROM sale_hourly FORCE INDEX (PRIMARY)
                WHERE hour = ? AND product_id IN (\(places))
                ORDER BY product_id FOR UPDATE
                """, [.text(hour.text)] + products
            ) { row throws(DatabaseError) in ProductID(try row.integer(0)) }
        }
    }
}
