public import Commerce
import MariaDB

/// Reads of what users have ordered and paid. Always from the database.
public struct Orders: Sendable {
    let pool: Pool

    /// An order with what its products are called now.
    public struct Page: Sendable {
        public let placed: PlacedOrder
        public let names: [ProductID: String]
    }

    /// - Returns: nil when there is no such order.
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func order(_ id: OrderID) throws -> Page? {
        try pool.withConnection { connection in
            try Self.pages(try Self.read([id], on: connection), on: connection).first
        }
    }

    /// Whose order it is, which never changes.
    ///
    /// - Returns: nil when there is no such order.
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func buyer(of id: OrderID) throws -> UserID? {
        try pool.withConnection { connection in
            try connection.query(
                "SELECT user_id FROM orders WHERE id = ? AND NOT is_delete", [.integer(id.number)]
            ) { row throws(DatabaseError) in UserID(try row.integer(0)) }
        }.first
    }

    /// Lines of one answer, for whose sake it may have fewer orders: ten orders of a hundred lines are
    /// 70 kB.
    private static let linesMax = 1_000

    /// A user's orders, the latest number first, and whether there are more than these for the sake
    /// of their lines.
    ///
    /// - Parameter before: the last order that was shown; nil for the newest.
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func orders(
        of user: UserID, before: OrderID?, countMax: Int
    ) throws -> (pages: [Page], isCut: Bool) {
        try pool.withConnection { connection in
            let ids = try connection.query(
                """
                SELECT id FROM orders FORCE INDEX (orders_by_user)
                WHERE user_id = ? AND id < ? AND NOT is_delete ORDER BY id DESC LIMIT ?
                """,
                [
                    .integer(user.number), .integer(before?.number ?? .max),
                    .integer(Int64(countMax)),
                ]
            ) { row throws(DatabaseError) in OrderID(try row.integer(0)) }
            let shown = try Self.fitting(ids, on: connection)
            let orders = try Self.read(shown, on: connection)
            return (
                try Self.pages(orders, on: connection).reversed(), shown.count < ids.count
            )
        }
    }

    /// The first of these orders, as many as have ``linesMax`` lines together; one at least.
    ///
    /// - Parameter ids: in descending order.
    private static func fitting(
        _ ids: [OrderID], on connection: Connection
    ) throws(DatabaseError) -> [OrderID] {
        let beyond = try Batch.asking(about: ids.map(\.value)) {
            places, ids throws(DatabaseError) in
            try connection.query(
                """
                SELECT order_id FROM orders_item WHERE order_id IN (\(places))
                ORDER BY order_id DESC, product_id DESC LIMIT 1 OFFSET \(linesMax)
                """, ids
            ) { row throws(DatabaseError) in OrderID(try row.integer(0)) }
        }.first
        guard let beyond else { return ids }
        return Array(ids.prefix(max(1, ids.prefix { $0 > beyond }.count)))
    }

    private static func pages(
        _ orders: [PlacedOrder], on connection: Connection
    ) throws(DatabaseError) -> [Page] {
        let products = Set(orders.flatMap(\.order.lines).map(\.product)).sorted()
        if products.isEmpty { return orders.map { Page(placed: $0, names: [:]) } }
        let names = try Catalogue.names(of: products, on: connection)
        return orders.map { Page(placed: $0, names: names) }
    }

    // MARK: - Rows

    /// Reads orders with their lines, by number.
    ///
    /// - Parameter locking: whether the orders are locked until the transaction ends. Their lines
    ///   never change.
    static func read(
        _ ids: [OrderID], on connection: Connection, locking: Bool = false
    ) throws(DatabaseError) -> [PlacedOrder] {
        let ids = ids.sorted().map(\.value)
        // The lines second: what is found of an order that is committed meanwhile is all of it.
        let headers = try Batch.asking(about: ids) { places, ids throws(DatabaseError) in
            try connection.query(
                """
                SELECT id, user_id, total_price, status, version, created_at FROM orders
                WHERE id IN (\(places)) AND NOT is_delete
                ORDER BY id\(locking ? " FOR UPDATE" : "")
                """, ids, header)
        }
        let found = try Batch.asking(about: ids) { places, ids throws(DatabaseError) in
            try connection.query(
                """
                SELECT order_id, product_id, quantity, price FROM orders_item
                WHERE order_id IN (\(places)) ORDER BY order_id, product_id
                """, ids, line)
        }
        let lines = Dictionary(grouping: found, by: \.order)
        return headers.map { placed in
            let order = placed.order
            return PlacedOrder(
                Order(
                    id: order.id, user: order.user, lines: (lines[order.id] ?? []).map(\.line),
                    total: order.total),
                status: placed.status, version: placed.version, placedAt: placed.placedAt)
        }
    }

    /// An order without its lines.
    private static func header(_ row: borrowing Row) throws(DatabaseError) -> PlacedOrder {
        let order = Order(
            id: OrderID(try row.integer(0)), user: UserID(try row.integer(1)), lines: [],
            total: Won(try row.integer(2, in: 0...Int64.max)))
        // The schema knows these two; of a third one nothing would be given back.
        let status = PlacedOrder.Status(rawValue: try row.text(3)) ?? .canceled
        return PlacedOrder(
            order, status: status, version: try row.version(4),
            placedAt: Moment(try row.text(5)))
    }

    private static func line(
        _ row: borrowing Row
    ) throws(DatabaseError) -> (order: OrderID, line: Order.Line) {
        let line = Order.Line(
            product: ProductID(try row.integer(1)), quantity: try row.integer(2, in: 0...Int64.max),
            price: Won(try row.integer(3)))
        return (OrderID(try row.integer(0)), line)
    }
}
