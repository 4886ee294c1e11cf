import Commerce
import MariaDB

extension Snapshot {
    /// Reads all rows that a batch touches: at most four statements, whatever the batch's size.
    ///
    /// - Parameter locking: whether points and stock stay locked until the transaction ends. Users
    ///   are locked before stock and each in ascending order, as everywhere.
    init(of commands: [Command], on connection: Connection, locking: Bool) throws {
        let userIDs = Set(commands.map(\.user)).sorted()
        let productIDs = Set(commands.compactMap(\.cart).flatMap(\.lines).map(\.product)).sorted()
        let keys = commands.compactMap(\.idempotency?.key)
        self.init()
        for user in try Users.read(userIDs, on: connection, locking: locking) {
            users[user.id] = user
        }
        if !productIDs.isEmpty {
            if locking { try Catalogue.lockStock(of: productIDs, on: connection) }
            for product in try Catalogue.read(productIDs, on: connection) {
                products[product.id] = product
            }
        }
        if !keys.isEmpty { self.keys = try Self.records(of: keys, on: connection) }
    }

    private static func records(
        of keys: [Idempotency.Key], on connection: Connection
    ) throws(DatabaseError) -> [Idempotency.Key: KeyRecord] {
        // Not as a list of tuples, of which MariaDB looks up the first column only.
        let conditions = Batch.placeholders(
            keys.count, of: "(user_id = ? AND scope = ? AND idem_key = ?)", separator: " OR ")
        let values = Batch.padded(keys).flatMap { key in
            [.integer(key.user.number), .text(key.scope.rawValue), .text(key.text)] as [Value]
        }
        let found = try connection.query(
            """
            SELECT user_id, scope, idem_key, fingerprint, status, response FROM idempotency_key
            WHERE \(conditions)
            """, values
        ) { row throws(DatabaseError) in
            let key = Idempotency.Key(
                user: UserID(try row.integer(0)),
                scope: Idempotency.Scope(rawValue: try row.text(1)) ?? .order,
                text: try row.text(2))
            let answer = StoredAnswer(
                status: Int(try row.integer(4)), body: try row.bytes(5))
            return (key, KeyRecord(fingerprint: try row.bytes(3), answer: answer))
        }
        return Dictionary(found) { first, _ in first }
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
        let lackingOrders = orders - orderNumbers.count
        let lackingPayments = commands.count - paymentNumbers.count
        if lackingOrders > 0 {
            add(orders: try Self.draw("order_id", lackingOrders, on: connection))
        }
        if lackingPayments > 0 {
            add(payments: try Self.draw("payment_id", lackingPayments, on: connection))
        }
    }

    private static func draw(
        _ sequence: String, _ count: Int, on connection: Connection
    ) throws(DatabaseError) -> [Int64] {
        // A list of as many elements makes as many rows, whatever the count, with one statement.
        let list = "[" + String(repeating: "0,", count: count - 1) + "0]"
        return try connection.query(
            """
            SELECT NEXT VALUE FOR \(sequence)
            FROM JSON_TABLE(?, '$[*]' COLUMNS (element INT PATH '$')) AS list
            """, [.text(list)]
        ) { row throws(DatabaseError) in try row.integer(0) }
    }
}
