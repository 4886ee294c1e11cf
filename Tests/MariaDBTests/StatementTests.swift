import MariaDB
import Testing

@Suite struct Statements {
    private let database: TestDatabase

    init() throws { database = try TestDatabase() }

    @Test func `an update counts the rows it found, changed or not`() throws {
        let connection = try database.withProducts()
        let sql = "UPDATE product SET quantity = ? WHERE id <= ?"
        #expect(try connection.execute(sql, [.integer(10), .integer(3)]) == 3)
        #expect(try connection.execute(sql, [.integer(9), .integer(0)]) == 0)
    }

    @Test func `rows deleted with RETURNING are decoded`() throws {
        let connection = try database.withProducts()
        let names = try connection.query(
            "DELETE FROM product WHERE id > ? RETURNING name, quantity", [.integer(3)]
        ) { row throws(DatabaseError) in try row.text(0) }
        #expect(Set(names) == ["p4", "p5"])
        #expect(try connection.execute("DELETE FROM product WHERE id = 1 RETURNING id") == 1)
        #expect(try connection.number("SELECT COUNT(*) FROM product") == 2)
    }

    @Test func `a query without rows and a statement without a result yield nothing`() throws {
        let connection = try database.withProducts()
        let decode = { (row: borrowing Row) throws(DatabaseError) in try row.integer(0) }
        #expect(try connection.query("SELECT id FROM product WHERE id = 0", [], decode) == [])
        #expect(try connection.query("UPDATE product SET version = 2", [], decode) == [])
        #expect(try connection.execute("SELECT id FROM product") == 5)
        #expect(try connection.number("SELECT SUM(version) FROM product") == 10)
    }

    @Test func `an error while decoding leaves the session and the statement usable`() throws {
        let connection = try database.withProducts()
        let sql = "SELECT id FROM product ORDER BY id"
        let stop = DatabaseError(code: 1, sqlState: "HY000", message: "stop")
        let error = databaseError {
            _ = try connection.query(sql) { row throws(DatabaseError) in
                if try row.integer(0) == 2 { throw stop }
            }
        }
        #expect(error == stop)
        let ids = try connection.query(sql) { row throws(DatabaseError) in try row.integer(0) }
        #expect(ids == [1, 2, 3, 4, 5])
    }

    @Test func `a decoder may ask the same session something else`() throws {
        let connection = try database.withProducts()
        let pairs = try connection.query("SELECT id FROM product ORDER BY id") {
            row throws(DatabaseError) in
            let id = try row.integer(0)
            let double = try connection.query("SELECT ? * 2", [.integer(id)]) {
                inner throws(DatabaseError) in try inner.integer(0)
            }
            return double + [try row.integer(0)]
        }
        #expect(pairs == [[2, 1], [4, 2], [6, 3], [8, 4], [10, 5]])
    }

    @Test func `one statement takes other types and NULL from one time to the next`() throws {
        let connection = try database.connect()
        let sql = "SELECT COALESCE(?, 'none')"
        let values: [Value] = [.integer(5), .text("x"), .null, .bytes([65]), .integer(-5)]
        let texts = try values.map { value in
            try connection.query(sql, [value]) { row throws(DatabaseError) in try row.text(0) }
        }
        #expect(texts == [["5"], ["x"], ["none"], ["A"], ["-5"]])
    }

    @Test func `a prepared statement survives a change of its column's type`() throws {
        let connection = try database.withProducts()
        let sql = "SELECT version FROM product WHERE id = 1"
        let decode = { (row: borrowing Row) throws(DatabaseError) in try row.text(0) }
        #expect(try connection.query(sql, [], decode) == ["1"])
        try connection.execute("ALTER TABLE product MODIFY version VARCHAR(200) NOT NULL")
        try connection.execute("UPDATE product SET version = 'a text'")
        #expect(try connection.query(sql, [], decode) == ["a text"])
        try connection.execute("ALTER TABLE product DROP version, ADD version BIGINT DEFAULT -3")
        #expect(try connection.query(sql, [], decode) == ["-3"])
    }

    @Test func `a result with other columns than before ends the session`() throws {
        let connection = try database.withProducts()
        let decode = { (row: borrowing Row) throws(DatabaseError) in row.count }
        let sql = "SELECT * FROM product WHERE id = 1"
        #expect(try connection.query(sql, [], decode) == [4])
        try connection.execute("ALTER TABLE product ADD note TEXT NOT NULL DEFAULT 'new'")
        let error = databaseError { _ = try connection.query(sql, [], decode) }
        #expect(error?.kind == .connectionLost)
        #expect(!connection.isUsable)
        #expect(try database.connect().query(sql, [], decode) == [5])
    }

    @Test func `a session keeps a bounded number of statements`() throws {
        let connection = try database.connect()
        let status = "SHOW SESSION STATUS LIKE 'Com_stmt_%'"
        for round in 0..<2 {
            for number in 0..<300 {
                let sum = try connection.number("SELECT \(number) + ?", [.integer(1)])
                #expect(sum == Int64(number + 1))
                let often = try connection.number("SELECT 'often', ?", [.integer(1)], column: 1)
                #expect(often == 1)
            }
            let counts = try connection.query(status) { row throws(DatabaseError) in
                (try row.text(0), Int(try row.text(1)) ?? 0)
            }
            let named = Dictionary(uniqueKeysWithValues: counts)
            let (prepared, closed) = (named["Com_stmt_prepare"]!, named["Com_stmt_close"]!)
            #expect(prepared - closed == 256)
            #expect(prepared == (round + 1) * 301 + 1)
        }
    }

    @Test(arguments: [
        ("INSERT INTO product VALUES (1, 'x', 1, 1)", DatabaseError.Kind.duplicateKey),
        ("INSERT INTO product VALUES (6, 'p1', 1, 1)", .duplicateKey),
        ("UPDATE product SET quantity = quantity - 11", .refused),
        ("INSERT INTO product VALUES (6, 'x', NULL, 1)", .refused),
        ("INSERT INTO product VALUES (6, REPEAT('x', 51), 1, 1)", .refused),
        ("UPDATE product SET version = 3000000000", .refused),
        ("INSERT INTO line VALUES (9)", .refused),
        ("DELETE FROM product WHERE id = 1", .refused),
        ("SELEKT 1", .other),
        ("SELECT * FROM nowhere", .other),
        ("SELECT 1; SELECT 2", .other),
    ])
    func `an error is sorted by what can be done about it`(
        sql: String, kind: DatabaseError.Kind
    ) throws {
        let connection = try database.withProducts()
        try connection.execute("CREATE TABLE line (id BIGINT REFERENCES product (id))")
        try connection.execute("INSERT INTO line VALUES (1)")
        let error = try #require(databaseError { try connection.execute(sql) })
        #expect(error.kind == kind, "\(error)")
        #expect(connection.isUsable)
        #expect(try connection.number("SELECT SUM(quantity) FROM product") == 50)
    }

    @Test func `a statement stopped by the read time-out ends the session in time`() throws {
        var server = database.server
        server.database = nil
        server.readTimeoutSeconds = 1
        let connection = try Connection(to: server)
        var error: DatabaseError?
        let took = seconds {
            error = databaseError { try connection.execute("SELECT SLEEP(60)") }
        }
        #expect(error?.kind == .connectionLost)
        #expect(took < 15)
        #expect(!connection.isUsable)
    }

    @Test func `nobody at the address is a lost connection, a wrong user is an unfit session`()
        throws
    {
        var server = database.server
        server.user = "nobody_of_this_name"
        #expect(databaseError { _ = try Connection(to: server) }?.kind == .sessionUnfit)
        server.address = .socket(path: "/nonexistent/mariadb.sock")
        #expect(databaseError { _ = try Connection(to: server) }?.kind == .connectionLost)
        server.address = .host(name: "127.0.0.1", port: 1)
        #expect(databaseError { _ = try Connection(to: server) }?.kind == .connectionLost)
    }

    @Test func `an error's description quotes no value, even one with quotes in it`() throws {
        let secret = "' for key 'my secret"
        let error = DatabaseError(
            code: 1062, sqlState: "23000",
            message: "Duplicate entry '25-\(secret)' for key 'PRIMARY'")
        #expect(error.description.hasSuffix("Duplicate entry '…' for key 'PRIMARY'"))
    }
}

extension Connection {
    fileprivate func number(_ sql: String, _ values: [Value], column: Int) throws -> Int64? {
        try query(sql, values) { row throws(DatabaseError) in try row.integer(column) }.first
    }
}
