import Commerce
import MariaDB

/// The shop before a race.
struct Opening {
    let stock: Int64
    /// Of all buyers together.
    let points: Int64
    /// Units that the best sellers' window counts.
    let windowUnits: Int64
    /// Orders of the race have higher numbers.
    let lastOrder: Int64

    /// Gives the hot product a new stock, and notes what else there is.
    init(stock: Int64, on connection: Connection) throws {
        let product = Value.integer(Ground.hotProduct.number)
        try connection.execute(
            """
            INSERT INTO stock_movement (product_id, cause, quantity)
            SELECT product_id, 'ADJUSTMENT', ? - quantity FROM stock WHERE product_id = ?
            """, [.integer(stock), product])
        let written = try connection.execute(
            "UPDATE stock SET quantity = ?, version = version + 1 WHERE product_id = ?",
            [.integer(stock), product])
        guard written == 1 else { throw BenchError("no product; script/bench makes it") }
        self.stock = stock
        points = try Self.points(on: connection)
        windowUnits = try Self.windowUnits(on: connection)
        lastOrder = try connection.number("SELECT NEXT VALUE FOR order_id")
    }

    fileprivate static func points(on connection: Connection) throws -> Int64 {
        try connection.number(
            "SELECT SUM(point) FROM users WHERE id >= ? AND id < ?",
            [.integer(Ground.users.lowerBound), .integer(Ground.users.upperBound)])
    }

    fileprivate static func windowUnits(on connection: Connection) throws -> Int64 {
        try connection.number(
            "SELECT COALESCE(SUM(quantity), 0) FROM sale_window WHERE product_id = ?",
            [.integer(Ground.hotProduct.number)])
    }
}

/// What a race did to the shop, held against what its buyers were told.
struct Audit {
    /// Units sold above those that there were.
    let oversold: Int64
    /// Units sold that the stock still has.
    let lost: Int64
    /// What is wrong in any strategy; empty when all is well.
    let faults: [String]

    var unitsAreExact: Bool { oversold == 0 && lost == 0 }

    init(_ opening: Opening, _ report: ContestReport, on connection: Connection) throws {
        let product = Value.integer(Ground.hotProduct.number)
        let last = Value.integer(opening.lastOrder)
        let remaining = try connection.number(
            "SELECT quantity FROM stock WHERE product_id = ?", [product])
        let sold = try connection.number(
            """
            SELECT COALESCE(SUM(quantity), 0) FROM orders_item
            WHERE product_id = ? AND order_id > ?
            """, [product, last])
        oversold = max(0, sold - opening.stock)
        lost = sold - (opening.stock - remaining)

        var faults: [String] = []
        func expect(_ what: String, _ found: Int64, _ expected: Int64) {
            if found != expected { faults.append("\(what): \(found), expected \(expected)") }
        }
        let spent = try opening.points - Opening.points(on: connection)
        expect("points spent", spent, sold * Ground.price.amount)
        let window = try Opening.windowUnits(on: connection) - opening.windowUnits
        expect("units in the best sellers' window", window, sold)
        let payments = try connection.number(
            """
            SELECT COALESCE(SUM(total_price), 0) FROM payment_history
            WHERE order_id > ? AND pay_method = 'POINT'
            """, [last])
        expect("paid", payments, sold * Ground.price.amount)
        let events = try connection.number(
            "SELECT COUNT(*) FROM outbox WHERE type = 'order.paid' AND aggregate_id > ?", [last])
        expect("events", events, sold)
        let answered = Set(report.orders)
        expect("orders answered twice", Int64(report.orders.count - answered.count), 0)
        let stored = try connection.query("SELECT id FROM orders WHERE id > ?", [last]) {
            row throws(DatabaseError) in try row.integer(0)
        }
        expect("answered orders not stored", Int64(answered.subtracting(stored).count), 0)
        let unanswered = stored.count - answered.count
        if unanswered > report.failureCount || unanswered < 0 {
            expect("stored orders not answered", Int64(unanswered), 0)
        }
        self.faults = faults
    }
}

extension Connection {
    /// The one number of a result of one row.
    fileprivate func number(_ sql: String, _ values: [Value] = []) throws -> Int64 {
        let numbers = try query(sql, values) { row throws(DatabaseError) in try row.integer(0) }
        guard let number = numbers.first else { throw BenchError("no row: \(sql)") }
        return number
    }
}
