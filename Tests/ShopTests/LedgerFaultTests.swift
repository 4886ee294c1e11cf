import Commerce
import MariaDB
import Store
import Testing

/// What becomes of commands when a connection breaks, the queue is full, time runs out, or the
/// process stops.
@Suite struct LedgerFaults {
    private func expectOnce(_ test: LedgerUnderTest, _ results: [Ledger.Result]) throws {
        #expect(results.allSatisfy { $0.isAccepted })
        #expect(try test.stock(101) == 1_000 - Int64(results.count))
        #expect(try test.number("SELECT COUNT(*) FROM orders") == Int64(results.count))
        #expect(
            try test.number("SELECT COUNT(*) FROM payment_history WHERE pay_method = 'POINT'")
                == Int64(results.count))
        #expect(try test.events(.orderPaid) == results.compactMap(\.order?.number).sorted())
    }

    @Test func `a batch survives that its session is killed before the COMMIT`() throws {
        let test = try LedgerUnderTest()
        let orders = try (2...9).map { try Command.order($0, 101) }
        let hold = try Hold(
            "SELECT product_id FROM stock WHERE product_id = 101 FOR UPDATE", in: test.database)
        let promised = orders.map(test.submit)
        try hold.awaitWaiter()
        try test.killWaiter()
        try hold.release()
        try expectOnce(test, try promised.map { try $0.value() })
    }

    @Test func `a COMMIT that never arrives is carried out once`() throws {
        let test = try LedgerUnderTest()
        test.proxy.lose(.commit)
        let results = try (2...9).map { test.submit(try .order($0, 101)) }.map { try $0.value() }
        #expect(test.proxy.hasLost)
        try expectOnce(test, results)
    }

    @Test func `a COMMIT whose answer is lost is answered truly and not repeated`() throws {
        let test = try LedgerUnderTest()
        test.proxy.lose(.answerToCommit)
        let results = try (2...9).map { test.submit(try .order($0, 101)) }.map { try $0.value() }
        #expect(test.proxy.hasLost)
        try expectOnce(test, results)
        #expect(try test.points(2) == 98_000)
    }

    @Test func `a charge whose COMMIT is lost either way is made once`() throws {
        for loss in [Proxy.Loss.commit, .answerToCommit] {
            let test = try LedgerUnderTest()
            test.proxy.lose(loss)
            let charge = try Command.charge(3, 7_000, key: "k")
            #expect(try test.submit(charge).value().isAccepted)
            #expect(test.proxy.hasLost)
            #expect(try test.submit(charge).value().isReplayed)
            #expect(try test.points(3) == 107_000)
            #expect(try test.events(.pointsCharged) == [3])
        }
    }

    @Test func `a row that somebody keeps locked costs only those who want it`() throws {
        let test = try LedgerUnderTest(lockTimeoutSeconds: 1)
        let hold = try Hold("SELECT id FROM users WHERE id = 99 FOR UPDATE", in: test.database)
        let first = test.submit(try .charge(98, 1_000))
        let unlucky = test.submit(try .charge(99, 1_000))
        let others = try (2...20).map { test.submit(try .order($0, 101)) }
        try expectOnce(test, try others.map { try $0.value(within: 20) })
        #expect(try first.value().isAccepted)
        #expect(try unlucky.value().isNotDone)
        try hold.release()
        #expect(try test.points(99) == 100_000)
        #expect(try test.submit(try .charge(99, 1_000)).value().isAccepted)
    }

    @Test func `a full queue refuses at once, and takes commands again afterwards`() throws {
        var options = Store.Shop.LedgerOptions()
        options.queuedMax = 5
        let test = try LedgerUnderTest(options)
        let charges = try (1...6).map { try Command.charge(10 + $0, 1_000) }
        let results = try test.inOneBatch(charges) {
            let (result, seconds) = try timed { try test.submit(try .charge(3, 1_000)).value() }
            #expect(result.isOverloaded)
            #expect(seconds < 4)
        }
        #expect(results.map(\.isOverloaded) == [false, false, false, false, false, true])
        #expect(results.dropLast().allSatisfy { $0.isAccepted })
        #expect(try test.submit(charges[5]).value().isAccepted)
    }

    @Test func `a command that no lane takes in time is withdrawn and has no effect`() throws {
        let test = try LedgerUnderTest()
        try test.database.connect().execute("UPDATE users SET name = 'Sleepless' WHERE id = 99")
        test.proxy.hold(answerWith: "Sleepless")  // For longer than a command waits for a lane.
        let taken = test.submit(try .charge(99, 1_000))
        #expect(eventually { test.proxy.isHolding ? true : nil } == true)
        let waiting = test.submit(try .charge(3, 1_000))
        #expect(try waiting.value(within: 20).isNotDone)
        #expect(!taken.isKept)
        test.proxy.release()
        _ = try taken.value()
        #expect(try test.submit(try .charge(4, 1_000)).value().isAccepted)
        #expect(try test.points(3) == 100_000)
    }

    @Test func `a shutdown settles the commands that wait and takes no more`() throws {
        let test = try LedgerUnderTest()
        let hold = try Hold("SELECT id FROM users WHERE id = 99 FOR UPDATE", in: test.database)
        let first = test.submit(try .charge(99, 1_000))
        try hold.awaitWaiter()
        let waiting = try (2...11).map { test.submit(try .order($0, 101)) }
        let closing = Beside { test.close() }
        let isClosed = try eventually {
            let late = test.submit(try .charge(3, 1_000))  // Told at once when it is refused.
            return try late.isKept && late.value().isOverloaded ? true : nil
        }
        #expect(isClosed == true)
        try hold.release()
        #expect(try first.value().isAccepted)
        try expectOnce(test, try waiting.map { try $0.value() })
        try closing.value()
    }

    @Test func `a database that is gone is told, and orders go on when it is back`() throws {
        let test = try LedgerUnderTest()
        #expect(try test.submit(try .order(2, 101)).value().isAccepted)
        test.proxy.cut()
        #expect(try test.submit(try .order(3, 101)).value(within: 10).isNotDone)
        try test.proxy.mend()
        #expect(try test.submit(try .order(3, 101)).value().isAccepted)
        #expect(try test.stock(101) == 998)
    }
}
