import Commerce
import FoundationEssentials
import Glibc
import MariaDB
import Store
import Testing

/// The audit finds what is wrong and names it, and nothing else.
@Suite struct Audits {
    private let test: LedgerUnderTest
    private let scratch: ScratchFolder

    init() throws {
        test = try LedgerUnderTest()
        scratch = try ScratchFolder()
    }

    /// Orders 1 and 2 of user 3, of which 2 is canceled; order 3 of user 4; a charge of user 4.
    private func trade() throws {
        for command in try [
            Command.order(3, 101, 2), .order(3, 102), .cancel(OrderID(2), of: 3),
            .order(4, 101), .charge(4, 5_000),
        ] {
            #expect(try test.submit(command).value().isAccepted)
        }
    }

    /// The rules that are broken, and by what: `rule: noun number`.
    private func found() throws -> Set<String> {
        Set(
            try test.database.violations().map { line in
                line.split(separator: " ").prefix(3).joined(separator: " ")
            })
    }

    @Test func `nothing is wrong with a shop that has traded`() throws {
        #expect(try test.database.violations() == [])
        try trade()
        #expect(try test.database.violations() == [])
    }

    /// Something wrong, done by hand, and what has to be said of it.
    struct Wrong: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let statements: [String]
        let violations: Set<String>

        init(_ description: String, _ statements: String..., violations: Set<String>) {
            testDescription = description
            self.statements = statements
            self.violations = violations
        }
    }

    private static let wrongs = [
        Wrong(
            "a changed balance", "UPDATE users SET point = point + 1 WHERE id = 25",
            violations: ["points: user 25"]),
        Wrong(
            "a missing debit",
            "DELETE FROM payment_history WHERE order_id = 1 AND status = 'COMPLETED'",
            violations: ["order_payment: order 1", "points: user 3"]),
        Wrong(
            "a debit of another amount",
            "UPDATE payment_history SET total_price = 1 WHERE order_id = 1",
            violations: ["order_payment: order 1", "points: user 3"]),
        Wrong(
            "a debit of another user", "UPDATE payment_history SET user_id = 5 WHERE order_id = 1",
            violations: ["order_payment: order 1", "points: user 3", "points: user 5"]),
        Wrong(
            "a charge that is not in the balance",
            """
            INSERT INTO payment_history (id, user_id, total_price, pay_method, status)
            VALUES (NEXTVAL(payment_id), 25, 1000, 'CHARGE', 'COMPLETED')
            """, violations: ["points: user 25"]),
        Wrong(
            "a stock edited by hand", "UPDATE stock SET quantity = 7 WHERE product_id = 25",
            violations: ["stock: product 25"]),
        Wrong(
            "a product whose books were never opened",
            "INSERT INTO product (id, name, price) VALUES (1, 'x', 1)",
            "INSERT INTO stock (product_id, quantity) VALUES (1, 1)",
            violations: ["stock: product 1"]),
        Wrong(
            "a movement that is missing", "DELETE FROM stock_movement WHERE order_id = 1",
            violations: ["stock: product 101", "order_lines: order 1"]),
        Wrong(
            "an order that took nothing from the stock",
            "DELETE FROM stock_movement WHERE order_id = 1",
            "UPDATE stock SET quantity = quantity + 2 WHERE product_id = 101",
            violations: ["order_lines: order 1"]),
        Wrong(
            "a changed total", "UPDATE orders SET total_price = 1 WHERE id = 1",
            violations: ["order_lines: order 1", "order_payment: order 1"]),
        Wrong(
            "a line of other units", "UPDATE orders_item SET quantity = 3 WHERE order_id = 1",
            violations: ["order_lines: order 1"]),
        Wrong(
            "lost lines", "DELETE FROM orders_item WHERE order_id = 1",
            violations: ["order_lines: order 1", "orphans: product 101"]),
        Wrong(
            "a lost event", "DELETE FROM outbox WHERE aggregate_id = 1 AND type = 'order.paid'",
            violations: ["order_event: order 1"]),
        Wrong(
            "a lost event of a cancel", "DELETE FROM outbox WHERE type = 'order.cancelled'",
            violations: ["order_event: order 2"]),
        Wrong(
            "an event told twice",
            """
            INSERT INTO outbox (id, aggregate, aggregate_id, type, version, payload, created_at)
            SELECT UUID(), aggregate, aggregate_id, type, version, payload, created_at FROM outbox
            WHERE aggregate_id = 3 AND type = 'order.paid'
            """, violations: ["order_event: order 3"]),
        Wrong(
            "a double refund",
            """
            ALTER TABLE payment_history DROP FOREIGN KEY payment_history_of_order,
            DROP KEY payment_history_once_an_order
            """,
            """
            INSERT INTO payment_history (id, user_id, order_id, total_price, pay_method, status)
            SELECT 1000, user_id, order_id, total_price, pay_method, status FROM payment_history
            WHERE status = 'REFUNDED'
            """, violations: ["cancel: order 2", "points: user 3"]),
        Wrong(
            "a refund without a cancel",
            """
            INSERT INTO payment_history (id, user_id, order_id, total_price, pay_method, status)
            VALUES (1000, 3, 1, 4000, 'POINT', 'REFUNDED')
            """, "UPDATE users SET point = point + 4000 WHERE id = 3",
            violations: ["cancel: payment 1000"]),
        Wrong(
            "a cancel without a refund", "UPDATE orders SET status = 'CANCELED' WHERE id = 1",
            violations: ["cancel: order 1"]),
        Wrong(
            "units that a cancel did not return",
            "DELETE FROM stock_movement WHERE cause = 'CANCEL'",
            "UPDATE stock SET quantity = quantity - 1 WHERE product_id = 102",
            violations: ["cancel: order 2"]),
        Wrong(
            "units that were returned without a cancel",
            """
            INSERT INTO stock_movement (product_id, order_id, cause, quantity)
            VALUES (101, 3, 'CANCEL', 1)
            """, "UPDATE stock SET quantity = quantity + 1 WHERE product_id = 101",
            violations: ["cancel: product 101"]),
        Wrong(
            "orphans of an order", "SET foreign_key_checks = 0", "DELETE FROM orders WHERE id = 3",
            violations: ["orphans: order 3", "orphans: payment 4"]),
        Wrong(
            "orphans of a user", "SET foreign_key_checks = 0", "DELETE FROM users WHERE id = 4",
            violations: ["orphans: payment 4", "orphans: payment 5"]),
        Wrong(
            "orphans of a stock", "SET foreign_key_checks = 0",
            "DELETE FROM stock WHERE product_id = 25", violations: ["orphans: product 25"]),
        Wrong(
            "an orphan of an event", "SET foreign_key_checks = 0",
            "INSERT INTO delivery (event_id, target_id, due_at) VALUES (UUID(), 0, NOW(6))",
            violations: ["orphans: delivery 1"]),
        // What sums alone would not show.
        Wrong(
            "debits that were exchanged",
            """
            UPDATE payment_history SET total_price = 6000 - total_price
            WHERE order_id IN (1, 3)
            """,
            violations: [
                "order_payment: order 1", "order_payment: order 3", "points: user 3",
                "points: user 4",
            ]),
        Wrong(
            "payers that were exchanged",
            "UPDATE payment_history SET user_id = 7 - user_id WHERE order_id IN (1, 3)",
            violations: [
                "order_payment: order 1", "order_payment: order 3", "points: user 3",
                "points: user 4",
            ]),
        Wrong(
            "movements that were exchanged",
            """
            UPDATE stock_movement SET quantity = -3 - quantity
            WHERE product_id = 101 AND cause = 'ORDER'
            """, violations: ["order_lines: order 1", "order_lines: order 3"]),
        Wrong(
            "a lost event, and one too many",
            """
            UPDATE outbox SET aggregate_id = 3 WHERE aggregate_id = 1 AND type = 'order.paid'
            """, violations: ["order_event: order 1", "order_event: order 3"]),
        Wrong(
            "an order of nothing",
            "INSERT INTO orders (id, user_id, total_price) VALUES (1000, 5, 0)",
            """
            INSERT INTO payment_history (id, user_id, order_id, total_price, pay_method, status)
            VALUES (1000, 5, 1000, 0, 'POINT', 'COMPLETED')
            """,
            """
            INSERT INTO outbox (id, aggregate, aggregate_id, type, version, payload, created_at)
            SELECT UUID(), aggregate, 1000, type, version, payload, created_at FROM outbox
            WHERE aggregate_id = 3
            """, violations: ["order_lines: order 1000"]),
        Wrong(
            "a free line of no order", "SET foreign_key_checks = 0",
            "INSERT INTO orders_item (order_id, product_id, quantity, price) VALUES (9, 25, 1, 0)",
            violations: ["orphans: order 9"]),
        Wrong(
            "an event of no order",
            """
            INSERT INTO outbox (id, aggregate, aggregate_id, type, version, payload, created_at)
            SELECT UUID(), aggregate, 9, type, version, payload, created_at FROM outbox
            WHERE aggregate_id = 3
            """, violations: ["orphans: order 9"]),
        Wrong(
            "movements of no product that make nothing",
            """
            INSERT INTO stock_movement (product_id, cause, quantity)
            VALUES (1, 'OPENING', 5), (1, 'ADJUSTMENT', -5)
            """, violations: ["orphans: product 1"]),
        Wrong(
            "units that an order took which is yet to come",
            """
            INSERT INTO stock_movement (product_id, order_id, cause, quantity)
            VALUES (101, 1000000, 'ORDER', -1)
            """, "UPDATE stock SET quantity = quantity - 1 WHERE product_id = 101",
            violations: ["orphans: product 101"]),
        Wrong(
            "units that an order took thrice",
            """
            INSERT INTO stock_movement (product_id, order_id, cause, created_at, quantity)
            SELECT product_id, order_id, cause, created_at + INTERVAL seq SECOND, quantity
            FROM stock_movement JOIN seq_1_to_2 WHERE order_id = 3
            """, "UPDATE stock SET quantity = quantity - 2 WHERE product_id = 101",
            violations: ["order_lines: order 3"]),
        Wrong(
            "lines that two orders exchanged", "SET foreign_key_checks = 0",
            "UPDATE orders_item SET order_id = 9 WHERE order_id = 1 AND product_id = 101",
            "UPDATE orders_item SET order_id = 1 WHERE order_id = 3",
            "UPDATE orders_item SET order_id = 3 WHERE order_id = 9",
            violations: ["order_lines: order 1", "order_lines: order 3"]),
        Wrong(
            "a refund of no order", "SET foreign_key_checks = 0",
            """
            INSERT INTO payment_history (id, user_id, order_id, total_price, pay_method, status)
            VALUES (1000, 3, 9, 1, 'POINT', 'REFUNDED')
            """, "UPDATE users SET point = point + 1 WHERE id = 3",
            violations: ["cancel: payment 1000"]),
        Wrong(
            "units that were returned of a line that is not there",
            """
            INSERT INTO stock_movement (product_id, order_id, cause, quantity)
            VALUES (25, 2, 'CANCEL', 1)
            """, "UPDATE stock SET quantity = quantity + 1 WHERE product_id = 25",
            violations: ["cancel: product 25"]),
        Wrong(
            "a wrong count of sales",
            "UPDATE sale_window SET quantity = quantity + 1 WHERE product_id = 101",
            violations: ["sales: product 101"]),
        Wrong(
            "sales that the window lacks", "DELETE FROM sale_window WHERE product_id = 101",
            violations: ["sales: product 101"]),
    ]

    @Test(arguments: wrongs)
    func `everything wrong is found and named`(_ wrong: Wrong) throws {
        try trade()
        let owner = try test.database.connect()
        for statement in wrong.statements { try owner.execute(statement) }
        #expect(try found() == wrong.violations)
    }

    /// What no slice can tell alone, all of them have told together.
    @Test func `what is right is looked at once`() throws {
        try trade()
        let audit = Audit(
            pool: Audit.pool(for: test.database.owner), eventsKeptHours: 168, busyPercent: 100)
        // One slice for the orders and one for the events. Users, products and sales have one more, for
        // what names a number after the last.
        #expect(try audit.run()?.slices == 8)
        try test.database.connect().execute("DELETE FROM stock_movement WHERE order_id = 1")
        #expect(try audit.run()?.slices == 10)
    }

    @Test func `numbers far apart, and many close together, are all looked at in slices`() throws {
        let owner = try test.database.connect()
        let audit = Audit(
            pool: Audit.pool(for: test.database.owner), eventsKeptHours: 168, busyPercent: 100)
        func add(_ ids: String) throws {
            try owner.execute(
                """
                INSERT INTO users (id, name, hp_no, point)
                SELECT id, 'x', '010-0000-0000', 1 FROM (\(ids)) AS added
                """)
        }
        try add(
            """
            SELECT seq * 1000000007 AS id FROM seq_1_to_500
            UNION ALL SELECT -7 UNION ALL SELECT \(Int64.max)
            """)
        let sparse = try #require(try audit.run())
        #expect(sparse.isWhole && sparse.counts[.points] == 502 && sparse.count == 502)
        #expect(sparse.named.first?.number == -7)
        // The slices have grown long by then, and yet have 4,000 rows at most.
        try add("SELECT 2000000000000 + seq AS id FROM seq_1_to_20000")
        let all = try #require(try audit.run())
        #expect(all.isWhole && all.counts[.points] == 20_502 && all.count == 20_502)
        #expect(all.slices >= sparse.slices + 5)
    }

    @Test func `the past before the books is not held against an order`() throws {
        try trade()
        let owner = try test.database.connect()
        // As if the movements' table, and the events', had come only now.
        try owner.execute("DELETE FROM stock_movement")
        try owner.execute("DELETE FROM outbox")
        try owner.execute("UPDATE schema_migrations SET applied_at = NOW(6) WHERE number = 7")
        try test.database.reconcile()
        #expect(try test.database.violations() == [])
        #expect(try test.submit(.cancel(OrderID(1), of: 3)).value().isAccepted)
        #expect(try test.submit(try .order(3, 101)).value().isAccepted)
        #expect(try test.database.violations() == [])
        try owner.execute("DELETE FROM outbox")
        #expect(try found() == ["order_event: order 1", "order_event: order 4"])
    }

    @Test func `hours that nobody has taken out of the window yet are in order`() throws {
        try trade()
        let owner = try test.database.connect()
        try owner.execute(
            "UPDATE sale_hourly SET hour = hour - INTERVAL 90 HOUR WHERE product_id = 101")
        #expect(try test.database.violations() == [])
        try owner.execute(
            "UPDATE sale_hourly SET quantity = quantity + 1 WHERE product_id = 101")
        #expect(try found() == ["sales: product 101"])
    }

    @Test func `what is set right by hand is right`() throws {
        try trade()
        let owner = try test.database.connect()
        try owner.execute("UPDATE users SET point = point + 7")
        try owner.execute("UPDATE stock SET quantity = quantity + 7")
        #expect(try !found().isEmpty)
        try test.database.reconcile()
        #expect(try test.database.violations() == [])
        let (all, opened) = (
            "SELECT COUNT(*) FROM point_adjustment",
            "SELECT COUNT(*) FROM point_adjustment WHERE cause = 'OPENING'"
        )
        // All users but one opened with points.
        #expect(try test.number(all) == 199 && test.number(opened) == 100)
        try test.database.reconcile()
        #expect(try test.number(all) == 199)
    }

    @Test func `many wrong rows are counted, and some of them named`() throws {
        try test.database.connect().execute("UPDATE users SET point = point + 1")
        let audit = Audit(
            pool: Audit.pool(for: test.database.owner), eventsKeptHours: 168, busyPercent: 100)
        let report = try #require(try audit.run())
        #expect(report.counts[.points] == 100 && report.count == 100)
        #expect(report.named.map(\.number) == Array(1...Int64(Audit.namedMax)))
    }

    @Test func `an audit goes no further than the orders of its beginning`() throws {
        try trade()
        let owner = try test.database.connect()
        try owner.execute("SET foreign_key_checks = 0")
        let audit = Audit(
            pool: Audit.pool(for: test.database.owner), eventsKeptHours: 168, busyPercent: 100)
        var isLater = false
        let report = try #require(
            try audit.run {
                guard !isLater else { return false }
                isLater = true
                // A later order would be right. This one shows whether it was looked at.
                let lines = try? owner.execute(
                    """
                    INSERT INTO orders_item (order_id, product_id, quantity, price)
                    VALUES (9, 999, 1, 0)
                    """)
                #expect(lines == 1)
                return false
            })
        #expect(isLater && report.isWhole && report.count == 0)
        #expect(try found().contains("orphans: order 9"))
    }

    @Test func `a shop that goes on selling is not suspected`() throws {
        let owner = try test.database.connect()
        try owner.execute("UPDATE users SET point = 1000000000")
        try owner.execute("UPDATE stock SET quantity = 1000000")
        try test.database.reconcile()
        let other = try test.another()
        defer { other.close() }
        let ledgers = [test.ledger, other]
        let database = test.database
        let trade = Beside {
            try inParallel(3_000, threads: 24, nothing) { _, number in
                let (user, promised) = (Int64(2 + number % 50), Promised())
                ledgers[number % 2].submit(try .order(user, Int64(101 + number % 3), 2)) {
                    promised.keep($0)
                }
                guard number % 3 == 0, let id = try promised.value().order else {
                    return try promised.value().isAccepted
                }
                let canceled = Promised()
                ledgers[1 - number % 2].submit(.cancel(id, of: user)) { canceled.keep($0) }
                return try canceled.value().isAccepted
            }
        }
        var audits = 0
        while !trade.isDone {
            #expect(try database.violations() == [])
            audits += 1
        }
        #expect(try trade.value().allSatisfy { $0 })
        #expect(audits >= 2)
        #expect(try database.violations() == [])
    }

    // MARK: - The commands

    private func audit(_ arguments: String...) throws -> Finished {
        try Finished(
            [TestRun.commerce, "audit"] + arguments, settings: test.database.settings(),
            in: scratch.path)
    }

    @Test func `the command ends with 0 and one line where nothing is wrong`() throws {
        try trade()
        let run = try audit()
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains(/^audit: nothing is wrong \(\d+ slices in \d+ s\)\n$/))
    }

    @Test func `the command ends with 1 and names what is wrong`() throws {
        struct Document: Decodable {
            struct Row: Decodable { let rule, noun, finding: String, number: Int }
            let violations: [String: Int]
            let named: [Row]
        }
        try test.database.connect().execute("UPDATE users SET point = 7 WHERE id = 25")
        let run = try audit()
        #expect(run.status == 1)
        #expect(
            run.output.hasPrefix(
                "points: user 25 has 7 points, and its payments make 100000\naudit: points 1 ("))
        let inJSON = try audit("--json")
        #expect(inJSON.status == 1)
        let document = try JSONDecoder().decode(Document.self, from: Data(inJSON.output.utf8))
        #expect(document.violations.count == Audit.Rule.allCases.count)
        #expect(document.violations["points"] == 1 && document.violations["stock"] == 0)
        #expect(document.named.map(\.number) == [25])
    }

    @Test func `one audit at a time`() throws {
        let owner = try test.database.connect()
        let name = "commerce.audit.\(test.database.name)"
        #expect(try owner.number("SELECT GET_LOCK('\(name)', 0)") == 1)
        let run = try audit()
        #expect(run.status == 75)
        #expect(run.errors == "commerce: another audit of this database is under way\n")
    }

    @Test func `the worker audits by itself and logs what is wrong`() throws {
        try test.database.connect().execute("UPDATE users SET point = 7 WHERE id = 25")
        let settings = try test.database.settings().merging([
            "COMMERCE_AUDIT_INTERVAL": "1"
        ]) { $1 }
        let worker = try Part.worker(settings, in: scratch.path)
        let isSaid = eventually(within: 30) {
            let log = contents(of: worker.log)
            return log.contains("the books are wrong") && log.contains("user 25 has 7") ? true : nil
        }
        #expect(isSaid == true)
        worker.signal(SIGTERM)
        #expect(worker.end(within: 10) == 0)
    }
}
