import Glibc
import Synchronization
import Testing

@testable import MariaDB

private struct Stop: Error, Equatable { var number = 0 }

@Suite struct Transactions {
    private let database: TestDatabase

    init() throws { database = try TestDatabase() }

    @Test func `what is committed stays and what throws leaves nothing`() throws {
        let connection = try database.withProducts()
        let update = "UPDATE product SET quantity = quantity - 1 WHERE id = 1"
        try connection.transaction { _ = try $0.execute(update) }
        #expect(throws: Stop()) {
            try connection.transaction {
                try $0.execute(update)
                throw Stop()
            }
        }
        let other = try database.connect()
        #expect(try other.number("SELECT quantity FROM product WHERE id = 1") == 9)
        #expect(connection.isUsable)
    }

    @Test func `the first error is kept when there is nobody left to roll back`() throws {
        let connection = try database.withProducts()
        let other = try database.connect()
        #expect(throws: Stop(number: 7)) {
            try connection.transaction {
                try $0.execute("UPDATE product SET quantity = 0")
                try other.kill($0.id)
                throw Stop(number: 7)
            }
        }
        #expect(!connection.isUsable)
        #expect(try other.number("SELECT SUM(quantity) FROM product") == 50)
    }

    @Test func `a session killed before COMMIT leaves an outcome the caller must look up`() throws {
        let connection = try database.withProducts()
        let other = try database.connect()
        let unknown = #expect(throws: CommitOutcomeUnknown.self) {
            try connection.transaction {
                try $0.execute("UPDATE product SET quantity = 0")
                try other.kill($0.id)
            }
        }
        #expect(unknown?.cause.kind == .connectionLost)
        #expect(!connection.isUsable)
    }

    @Test func `a deadlock is a lost race for one of two, and a retry makes both succeed`() throws {
        let connection = try database.withProducts()
        let buyers = CrossedBuyers(database.pool())
        let one = Background { databaseError { try buyers.buy(1, then: 2) } }
        let other = Background { databaseError { try buyers.buy(2, then: 1) } }
        #expect(one.value() == nil && other.value() == nil)
        let losses = buyers.losses.withLock { $0 }
        #expect(!losses.isEmpty && losses.allSatisfy { $0.code == 1213 && $0.kind == .lostRace })
        #expect(try connection.number("SELECT SUM(quantity) FROM product") == 46)
    }

    @Test func `a lock that is not to be had is a lost race, and the session goes on`() throws {
        let holder = try database.withProducts()
        let waiter = try database.connect()
        try waiter.execute("SET SESSION innodb_lock_wait_timeout = 0")
        let update = "UPDATE product SET version = 2 WHERE id = 1"
        try holder.transaction {
            try $0.execute(update)
            let error = databaseError {
                try waiter.transaction { _ = try $0.execute(update) }
            }
            #expect(error?.code == 1205 && error?.kind == .lostRace)
        }
        #expect(waiter.isUsable)
        #expect(try waiter.execute(update) == 1)
    }

    @Test func `a race that is lost amid a result leaves the statement in order`() throws {
        let holder = try database.withProducts()
        let loser = try database.connect()
        try loser.execute("SET SESSION innodb_lock_wait_timeout = 0")
        func lockAll() throws -> [Int64] {
            try loser.transaction {
                try $0.query("SELECT id FROM product ORDER BY id FOR UPDATE") {
                    row throws(DatabaseError) in try row.integer(0)
                }
            }
        }
        try holder.transaction {
            try $0.execute("UPDATE product SET version = 2 WHERE id = 4")
            #expect(databaseError { _ = try lockAll() }?.code == 1205)
            #expect(databaseError { _ = try lockAll() }?.code == 1205)
        }
        #expect(try lockAll() == [1, 2, 3, 4, 5])
        #expect(loser.isUsable)
    }

    @Test func `a lost race ends the transaction even when it is caught`() throws {
        let holder = try database.withProducts()
        let loser = try database.connect()
        try loser.execute("SET SESSION innodb_lock_wait_timeout = 0")
        let update = "UPDATE product SET version = 2 WHERE id = ?"
        var codes: [UInt32?] = []
        try holder.transaction {
            try $0.execute(update, [.integer(1)])
            let error = databaseError {
                try loser.transaction {
                    try $0.execute(update, [.integer(2)])
                    for id: Int64 in [1, 3] { codes.append($0.code(of: update, [.integer(id)])) }
                }
            }
            #expect(error?.code == 1205)
            #expect(codes == [1205, 1205])
        }
        #expect(try loser.number("SELECT SUM(version) FROM product") == 6)
        #expect(try loser.execute(update, [.integer(2)]) == 1)
    }

    @Test func `a row changed under a snapshot is a lost race`() throws {
        let reader = try database.withProducts()
        let writer = try database.connect()
        try reader.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        try reader.execute("SET SESSION innodb_snapshot_isolation = ON")
        let error = databaseError {
            try reader.transaction {
                _ = try $0.number("SELECT quantity FROM product WHERE id = 1")
                try writer.execute("UPDATE product SET quantity = 3 WHERE id = 1")
                try $0.execute("UPDATE product SET quantity = 9 WHERE id = 1")
            }
        }
        #expect(error?.code == 1020 && error?.kind == .lostRace)
    }

    @Test func `a transaction that fell silent is ended by the server`() throws {
        let connection = try database.withProducts()
        try connection.execute("SET SESSION idle_transaction_timeout = 1")
        let error = databaseError {
            try connection.transaction {
                try $0.execute("UPDATE product SET quantity = 0")
                usleep(1_800_000)
                try $0.execute("UPDATE product SET quantity = 1")
            }
        }
        #expect(error?.kind == .connectionLost)
        #expect(try database.connect().execute("UPDATE product SET version = 2") == 5)
    }
}

@Suite struct Retries {
    @Test func `a race is lost only so often`() {
        var attempts: [Int] = []
        #expect(throws: LostRace()) {
            try withRetries(RetryLimits(attemptsMax: 3, firstPauseMicroseconds: 0)) { attempt in
                attempts.append(attempt)
                throw LostRace()
            }
        }
        #expect(attempts == [1, 2, 3])
    }

    @Test func `no attempt begins after the deadline`() {
        var attempts = 0
        let limits = RetryLimits(attemptsMax: 1_000, deadlineMilliseconds: 20)
        #expect(throws: DatabaseError.self) {
            try withRetries(limits) { _ in
                attempts += 1
                usleep(15_000)
                throw DatabaseError(code: 1213, sqlState: "40001", message: "Deadlock")
            }
        }
        #expect((1...2).contains(attempts))
    }

    @Test func `another error is not retried, and success ends it`() throws {
        var attempts = 0
        #expect(throws: Stop()) {
            try withRetries { _ in
                attempts += 1
                throw Stop()
            }
        }
        #expect(attempts == 1)
        let result = try withRetries { attempt in
            if attempt < 4 { throw LostRace() }
            return attempt
        }
        #expect(result == 4)
    }

    @Test func `pauses double up to a bound`() {
        let limits = RetryLimits(firstPauseMicroseconds: 10, pauseMicrosecondsMax: 100)
        let pauses = [1, 2, 3, 4, 5, 60].map { limits.longestPauseMicroseconds(afterAttempt: $0) }
        #expect(pauses == [10, 20, 40, 80, 100, 100])
    }
}

extension Connection {
    /// The error that a statement fails with.
    fileprivate func code(of sql: String, _ values: [Value]) -> UInt32? {
        databaseError { try execute(sql, values) }?.code
    }
}

/// Buyers of the same two products in opposite order, who lock their first before either asks for
/// the second.
private final class CrossedBuyers: Sendable {
    let losses = Mutex<[DatabaseError]>([])
    private let pool: Pool
    private let lockHolders = Mutex(0)

    init(_ pool: Pool) { self.pool = pool }

    func buy(_ first: Int64, then second: Int64) throws {
        let sql = "UPDATE product SET quantity = quantity - 1 WHERE id = ?"
        try withRetries { attempt in
            try pool.withConnection { connection in
                try connection.transaction { connection in
                    try connection.execute(sql, [.integer(first)])
                    if attempt == 1 { waitForTheOther() }
                    do throws(DatabaseError) {
                        try connection.execute(sql, [.integer(second)])
                    } catch {
                        losses.withLock { $0.append(error) }
                        throw error
                    }
                }
            }
        }
    }

    private func waitForTheOther() {
        lockHolders.withLock { $0 += 1 }
        while lockHolders.withLock({ $0 }) < 2 { usleep(100) }
    }
}
