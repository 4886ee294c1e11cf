import FoundationEssentials
import MariaDB
import ShopParts

/// What the database says.
struct Ground {
    struct Order: Equatable {
        let user: Int
        let total: Int
        let isCanceled: Bool
        var lines: [Int: Int] = [:]
    }

    struct Charge: Hashable {
        let user: Int
        let amount: Int
    }

    struct StoredAnswer: Equatable {
        let status: Int
        let body: [UInt8]
    }

    private(set) var points: [Int: Int] = [:]
    private(set) var stock: [Int: Int] = [:]
    private(set) var orders: [Int: Order] = [:]
    /// Payments by their number.
    private(set) var charges: [Int: Charge] = [:]
    /// What orders took, and gave back: by the order.
    private(set) var paid: [Int: Int] = [:]
    private(set) var refunded: [Int: Int] = [:]
    private(set) var keys: [Command.Key: StoredAnswer] = [:]
    /// The events of a type, by what they are about, as often as they are there; charges by the
    /// payment.
    private(set) var events: [String: [Int]] = [:]
    private(set) var eventIDs: Set<UUID> = []
    private(set) var toldOrders: Set<UUID> = []
    /// Deliveries by state and target.
    private(set) var deliveries: [String: Int] = [:]
    private(set) var undispatched = 0

    init(_ connection: Connection) throws {
        for row in try connection.numbers("SELECT id, point FROM users") { points[row[0]] = row[1] }
        for row in try connection.numbers("SELECT product_id, quantity FROM stock") {
            stock[row[0]] = row[1]
        }
        let sql = "SELECT id, user_id, total_price, status = 'CANCELED' FROM orders"
        for row in try connection.numbers(sql) {
            orders[row[0]] = Order(user: row[1], total: row[2], isCanceled: row[3] == 1)
        }
        for row in try connection.numbers("SELECT order_id, product_id, quantity FROM orders_item")
        {
            orders[row[0]]?.lines[row[1]] = row[2]
        }
        try readPayments(connection)
        try readKeys(connection)
        try readEvents(connection)
    }

    private mutating func readPayments(_ connection: Connection) throws {
        let sql = """
            SELECT id, user_id, total_price, COALESCE(order_id, 0), status = 'REFUNDED'
            FROM payment_history
            """
        for row in try connection.numbers(sql) {
            if row[3] == 0 {
                charges[row[0]] = Charge(user: row[1], amount: row[2])
            } else if row[4] == 0 {
                paid[row[3], default: 0] += row[2]
            } else {
                refunded[row[3], default: 0] += row[2]
            }
        }
    }

    private mutating func readKeys(_ connection: Connection) throws {
        let rows = try connection.query(
            "SELECT user_id, scope, idem_key, order_id, status, response FROM idempotency_key"
        ) { row throws(DatabaseError) in
            (
                Int(try row.integer(0)), try row.text(1), try row.text(2), Int(try row.integer(3)),
                StoredAnswer(status: Int(try row.integer(4)), body: try row.bytes(5))
            )
        }
        for (user, scope, name, order, answer) in rows {
            guard let scope = Command.Scope(rawValue: scope) else {
                throw Failure("a key has the scope \(scope)")
            }
            keys[Command.Key(scope: scope, user: user, name: name, order: order)] = answer
        }
    }

    private mutating func readEvents(_ connection: Connection) throws {
        let rows = try connection.query(
            """
            SELECT id, type, aggregate_id, JSON_VALUE(payload, '$.paymentId'),
                dispatched_at IS NULL FROM outbox
            """
        ) { row throws(DatabaseError) in
            (
                try row.uuid(0), try row.text(1), Int(try row.integer(2)),
                try row.optionalText(3).flatMap { Int($0) }, try row.integer(4) == 1
            )
        }
        for (id, type, aggregate, payment, waits) in rows {
            events[type, default: []].append(payment ?? aggregate)
            eventIDs.insert(id)
            if payment == nil { toldOrders.insert(id) }
            if waits { undispatched += 1 }
        }
        let states = try connection.query(
            "SELECT CONCAT(state, ' ', target_id), COUNT(*) FROM delivery GROUP BY 1"
        ) { row throws(DatabaseError) in (try row.text(0), Int(try row.integer(1))) }
        deliveries = Dictionary(uniqueKeysWithValues: states)
    }
}

extension Connection {
    /// Rows of whole numbers.
    fileprivate func numbers(_ sql: String) throws -> [[Int]] {
        try query(sql) { row throws(DatabaseError) in
            var numbers: [Int] = []
            for column in 0..<row.count { numbers.append(Int(try row.integer(column))) }
            return numbers
        }
    }
}
