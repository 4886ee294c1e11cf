import Glibc
import Synchronization
import Testing

@testable import MariaDB

@Suite struct ConnectionPool {
    private let database: TestDatabase

    init() throws { database = try TestDatabase() }

    @Test func `a connection is opened when needed and used again`() throws {
        let pool = database.pool()
        #expect(pool.counts == Pool.Counts())
        let first = try pool.withConnection { connection in
            #expect(pool.counts == Pool.Counts(open: 1, inUse: 1, waits: 0))
            return connection.id
        }
        #expect(try pool.withConnection { $0.id } == first)
        #expect(pool.counts == Pool.Counts(open: 1, inUse: 0, waits: 0))
    }

    @Test func `who finds the pool empty waits, but not for ever`() throws {
        let pool = database.pool(size: 1, waitLimitMilliseconds: 100)
        try pool.withConnection { _ in
            var error: DatabaseError?
            let took = seconds { error = databaseError { try pool.withConnection { _ in } } }
            #expect(error?.kind == .busy)
            #expect(took >= 0.1 && took < 15)
        }
        #expect(pool.counts == Pool.Counts(open: 1, inUse: 0, waits: 1))
    }

    @Test func `eight threads share two connections and all get their turn`() throws {
        _ = try database.withProducts()
        let pool = database.pool(size: 2)
        let threads = (1...8).map { _ in
            Background {
                databaseError {
                    for _ in 1...20 {
                        try pool.withConnection {
                            _ = try $0.execute("UPDATE product SET version = version + 1")
                        }
                    }
                }
            }
        }
        for thread in threads { #expect(thread.value() == nil) }
        #expect(pool.counts.open == 2)
        #expect(try database.connect().number("SELECT MIN(version) FROM product") == 161)
    }

    @Test func `a connection killed in use is replaced`() throws {
        let (pool, killer) = (database.pool(), try database.connect())
        let error = databaseError {
            try pool.withConnection {
                try killer.kill($0.id)
                _ = try $0.execute("DO 1")
            }
        }
        #expect(error?.kind == .connectionLost)
        #expect(pool.counts == Pool.Counts(open: 0, inUse: 0, waits: 0))
        #expect(try pool.works)
    }

    @Test func `a connection killed while idle costs nobody a request`() throws {
        let (pool, killer) = (database.pool(), try database.connect())
        let id = try pool.withConnection { $0.id }
        try killer.kill(id)
        usleep(100_000)  // The server closes the socket a moment later.
        #expect(try pool.works)
        #expect(try pool.withConnection { $0.id } != id)
        #expect(pool.counts == Pool.Counts(open: 1, inUse: 0, waits: 0))
    }

    @Test func `a transaction left open is not handed to the next caller`() throws {
        let connection = try database.withProducts()
        let pool = database.pool()
        try pool.withConnection {
            try $0.execute("BEGIN")
            try $0.execute("UPDATE product SET quantity = 0")
        }
        #expect(pool.counts == Pool.Counts(open: 0, inUse: 0, waits: 0))
        #expect(try connection.execute("UPDATE product SET version = 2 WHERE quantity = 10") == 5)
    }

    @Test func `an error of the caller costs no connection`() throws {
        let pool = database.pool()
        #expect(throws: CancellationError.self) {
            try pool.withConnection { _ in throw CancellationError() }
        }
        let error = databaseError { try pool.withConnection { _ = try $0.execute("SELEKT") } }
        #expect(error?.kind == .other)
        #expect(pool.counts == Pool.Counts(open: 1, inUse: 0, waits: 0))
    }

    @Test func `a server that is not there takes no place in the pool`() throws {
        let server = Server(
            address: .socket(path: "/nonexistent/mariadb.sock"), user: "x", password: "",
            database: nil)
        let pool = Pool(server: server, size: 1, waitLimitMilliseconds: 0)
        for _ in 1...3 {
            let error = databaseError { try pool.withConnection { _ in } }
            #expect(error?.kind == .connectionLost)
        }
        #expect(pool.counts == Pool.Counts())
    }

    @Test func `a closed pool opens nothing and lets those inside finish`() throws {
        let pool = database.pool()
        try pool.withConnection {
            pool.close()
            _ = try $0.number("SELECT 1")
        }
        #expect(pool.counts == Pool.Counts())
        #expect(databaseError { try pool.withConnection { _ in } }?.kind == .unavailable)
    }
}

extension Pool {
    /// Whether a connection of the pool answers.
    fileprivate var works: Bool {
        get throws { try withConnection { try $0.number("SELECT 1") } == 1 }
    }
}
