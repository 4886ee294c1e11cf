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
                guard let answer = StoredAnswer(stored: try row.integer(4), body: try row.bytes(5))
                else { throw row.unexpected("not a status of success", 4) }
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
