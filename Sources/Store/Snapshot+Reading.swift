import Commerce
import MariaDB

extension Snapshot {
    /// Reads all rows that a batch touches: at most seven statements, whatever the batch's
    /// size.
    ///
    /// - Parameter locking: whether points, orders and stock stay locked until the transaction ends.
    ///   Users are locked first and stock last, each in ascending order, as everywhere.
    ///
    /// - Returns: also the database's time, if there is a user at all.
    static func read(
        of commands: [Command], on connection: Connection, locking: Bool
    ) throws -> (snapshot: Snapshot, time: Moment?) {
        var snapshot = Snapshot()
        let userIDs = Set(commands.map(\.user)).sorted()
        let orderIDs = Set(commands.compactMap(\.canceledOrder)).sorted()
        let keys = commands.compactMap(\.idempotency?.key)
        let (users, time) = try Users.readTimed(userIDs, on: connection, locking: locking)
        for user in users { snapshot.users[user.id] = user }
        if !orderIDs.isEmpty {
            for placed in try Orders.read(orderIDs, on: connection, locking: locking) {
                snapshot.orders[placed.order.id] = placed
            }
        }
        // Before the stock is locked: all other buyers of a product wait from then on.
        if !keys.isEmpty { snapshot.keys = try records(of: keys, on: connection) }
        let bought = commands.compactMap(\.cart).flatMap(\.lines).map(\.product)
        let returned = snapshot.orders.values.flatMap(\.order.lines).map(\.product)
        let productIDs = Set(bought + returned).sorted()
        if !productIDs.isEmpty {
            if locking { try Catalogue.lockStock(of: productIDs, on: connection) }
            for product in try Catalogue.read(productIDs, on: connection) {
                snapshot.products[product.id] = product
            }
        }
        return (snapshot, time)
    }

    private static func records(
        of keys: [Idempotency.Key], on connection: Connection
    ) throws(DatabaseError) -> [Idempotency.Key: KeyRecord] {
        // Not as a list of tuples, of which MariaDB looks up the first column only.
        let scopes = Dictionary(keys.map { ($0.scope.path, $0.scope) }) { first, _ in first }
        let found = try Batch.asking(
            about: keys, of: "(user_id = ? AND scope = ? AND idem_key = ? AND order_id = ?)",
            separator: " OR "
        ) { conditions, keys throws(DatabaseError) in
            try connection.query(
                """
                SELECT user_id, CONCAT(scope, '/', order_id), idem_key, fingerprint, status, response
                FROM idempotency_key WHERE \(conditions)
                """, keys.flatMap(\.values)
            ) { row throws(DatabaseError) in
                let user = UserID(try row.integer(0))
                let text = try row.text(2)
                let key = scopes[try row.text(1)].map { scope in
                    Idempotency.Key(user: user, scope: scope, text: text)
                }
                let answer = StoredAnswer(
                    status: Int(try row.integer(4)), body: try row.bytes(5))
                return (key, KeyRecord(fingerprint: try row.bytes(3), answer: answer))
            }
        }
        var records: [Idempotency.Key: KeyRecord] = [:]
        for case (let key?, let record) in found { records[key] = record }
        return records
    }
}

extension Idempotency.Key {
    /// As the table `idempotency_key` has it.
    fileprivate var values: [Value] {
        [.integer(user.number), .text(scope.name), .text(text), .integer(scope.orderNumber)]
    }
}

extension Numbers {
    /// Draws what a batch lacks: a payment number a command, an order number an order.
    ///
    /// The sequences are outside of any transaction. Numbers are drawn as they are needed and not
    /// in advance, so that they ascend in time over all processes.
    mutating func fill(
        for commands: [Command], on connection: Connection
    ) throws(DatabaseError) {
        let orders = commands.count { $0.cart != nil }
        let lackingOrders = max(0, orders - orderNumbers.count)
        let lackingPayments = max(0, commands.count - paymentNumbers.count)
        // Together as far as possible: a lone order gets both with one question.
        let pairs = min(lackingOrders, lackingPayments)
        let drawn = try Self.draw(["order_id", "payment_id"], pairs, on: connection)
        let otherOrders = try Self.draw(["order_id"], lackingOrders - pairs, on: connection)
        let otherPayments = try Self.draw(["payment_id"], lackingPayments - pairs, on: connection)
        add(
            orders: drawn.map { $0[0] } + otherOrders.map { $0[0] },
            payments: drawn.map { $0[1] } + otherPayments.map { $0[0] })
    }

    /// - Returns: as many rows as `count`, of one number from each sequence.
    private static func draw(
        _ sequences: [String], _ count: Int, on connection: Connection
    ) throws(DatabaseError) -> [[Int64]] {
        guard count > 0 else { return [] }
        let values = sequences.map { "NEXT VALUE FOR \($0)" }.joined(separator: ", ")
        // A list of as many elements makes as many rows, whatever the count, with one statement.
        let list = "[" + String(repeating: "0,", count: count - 1) + "0]"
        return try connection.query(
            """
            SELECT \(values) FROM JSON_TABLE(?, '$[*]' COLUMNS (element INT PATH '$')) AS list
            """, [.text(list)]
        ) { row throws(DatabaseError) in
            var numbers: [Int64] = []
            for column in sequences.indices { numbers.append(try row.integer(column)) }
            return numbers
        }
    }
}
