import Commerce
import MariaDB

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

    // MARK: - Numbers that somebody else has taken

    /// How far the first look for taken numbers goes beyond the first of these; each further look goes
    /// twice as far. A gap that is wider than that ends it, so that a single row with a far number
    /// does not use up all those before it.
    private static let reach: Int64 = 1_000
    /// Enough for any run of numbers that a table can hold.
    private static let looksMax = 40

    /// Moves the sequences past the numbers from these on that rows have already. They only ever move
    /// forward, so it does no harm where others draw meanwhile, or do the same.
    func passTaken(on connection: Connection) throws(DatabaseError) {
        try Self.pass("order_id", of: "orders", from: orderNumbers.first, on: connection)
        try Self.pass(
            "payment_id", of: "payment_history", from: paymentNumbers.first, on: connection)
    }

    private static func pass(
        _ sequence: String, of table: String, from first: Int64?, on connection: Connection
    ) throws(DatabaseError) {
        guard let first else { return }
        var (next, reach, last) = (first, reach, Int64?.none)
        for _ in 0..<looksMax {
            let end = next > .max - reach ? .max : next + reach
            let found = try connection.query(
                "SELECT MAX(id) FROM \(table) WHERE id BETWEEN ? AND ?",
                [.integer(next), .integer(end)]
            ) { row throws(DatabaseError) in try row.optionalInteger(0) }
            guard case let taken?? = found.first, taken < .max else { break }
            (next, reach, last) = (taken + 1, reach * 2, taken)
        }
        if let last { try connection.execute("DO SETVAL(\(sequence), \(last))") }
    }
}
