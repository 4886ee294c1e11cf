import MariaDB
import Testing

@Suite struct BulkStatements {
    private let database: TestDatabase

    init() throws { database = try TestDatabase() }

    @Test func `rows with NULLs, Unicode and bytes are inserted together`() throws {
        let connection = try database.connect()
        try connection.execute("CREATE TEMPORARY TABLE t (id INT, name TEXT, hash BINARY(3))")
        let rows: [[Value]] = [
            [.integer(1), .text("한글 😀"), .bytes([0, 1, 2])],
            [.integer(2), .null, .null],
            [.null, .text(""), .bytes([255, 254, 253])],
            [.integer(-4), .text("it's \\ ?"), .bytes([0, 0, 0])],
        ]
        #expect(try connection.executeBulk("INSERT INTO t VALUES (?, ?, ?)", rows) == 4)
        let read = try connection.query("SELECT * FROM t") { row throws(DatabaseError) -> [Value] in
            [
                try row.optionalInteger(0).map { .integer($0) } ?? .null,
                try row.optionalText(1).map { .text($0) } ?? .null,
                try row.optionalBytes(2).map { .bytes($0) } ?? .null,
            ]
        }
        #expect(read == rows)
    }

    @Test func `a version-checked update counts exactly the rows whose version matched`() throws {
        let connection = try database.withProducts()
        let sql = """
            UPDATE product SET quantity = ?, version = version + 1 WHERE id = ? AND version = ?
            """
        let rows = (1...5).map { id -> [Value] in
            [.integer(7), .integer(id), .integer(id % 2 == 0 ? 1 : 99)]
        }
        #expect(try connection.executeBulk(sql, rows) == 2)
        #expect(try connection.executeBulk(sql, rows) == 0)
        #expect(try connection.number("SELECT SUM(quantity) FROM product") == 44)
    }

    @Test func `no rows are zero without asking the server`() throws {
        let connection = try database.connect()
        #expect(try connection.executeBulk("not even SQL", []) == 0)
    }

    @Test func `one row, a column of NULLs only and a mixed column are right`() throws {
        let connection = try database.connect()
        try connection.execute("CREATE TEMPORARY TABLE t (a VARCHAR(9), b VARBINARY(9))")
        let sql = "INSERT INTO t VALUES (?, ?)"
        #expect(try connection.executeBulk(sql, [[.null, .null]]) == 1)
        let mixed: [[Value]] = [[.integer(12), .text("é")], [.text("x"), .bytes([9])]]
        #expect(try connection.executeBulk(sql, mixed) == 2)
        let read = try connection.query("SELECT a, b FROM t WHERE a IS NOT NULL") {
            row throws(DatabaseError) in (try row.text(0), try row.bytes(1))
        }
        #expect(read.map(\.0) == ["12", "x"])
        #expect(read.map(\.1) == [[0xC3, 0xA9], [9]])
    }

    @Test func `more rows and more bytes than one round trip takes are split`() throws {
        let connection = try database.connect()
        try connection.execute("CREATE TEMPORARY TABLE t (id INT, b LONGBLOB)")
        let sql = "INSERT INTO t VALUES (?, ?)"
        let many = (0..<5_000).map { [Value.integer($0), .null] }
        #expect(try connection.executeBulk(sql, many) == 5_000)
        let blob = [UInt8](repeating: 1, count: 3 << 20)
        let large = (0..<4).map { [Value.integer($0), .bytes(blob)] }
        #expect(try connection.executeBulk(sql, large) == 4)
        #expect(try connection.number("SELECT SUM(id) FROM t") == 12_497_506)
        #expect(try connection.number("SELECT SUM(LENGTH(b)) FROM t") == 12 << 20)
    }

    @Test func `a statement is executed alone and in bulk by turns`() throws {
        let connection = try database.withProducts()
        let sql = "UPDATE product SET name = ? WHERE id = ?"
        for turn in 1...3 {
            let single: [Value] = [.text("single \(turn)"), .integer(1)]
            #expect(try connection.execute(sql, single) == 1)
            let rows = (2...4).map { [Value.text("\($0) of \(turn)"), .integer($0)] }
            #expect(try connection.executeBulk(sql, rows) == 3)
        }
        let names = try connection.query("SELECT name FROM product ORDER BY id") {
            row throws(DatabaseError) in try row.text(0)
        }
        #expect(names == ["single 3", "2 of 3", "3 of 3", "4 of 3", "p5"])
    }

    @Test func `a duplicate in a bulk insert leaves nothing when the transaction ends`() throws {
        let connection = try database.withProducts()
        let rows = [6, 7, 7, 8].map { [Value.integer($0)] }
        let error = databaseError {
            try connection.transaction {
                _ = try $0.executeBulk("INSERT INTO product VALUES (?, NULL, 1, 1)", rows)
            }
        }
        #expect(error?.kind == .duplicateKey)
        #expect(try connection.number("SELECT COUNT(*) FROM product") == 5)
    }

    @Test func `upserts in bulk add up`() throws {
        let connection = try database.withProducts()
        let sql = """
            INSERT INTO product VALUES (?, NULL, ?, 1)
            ON DUPLICATE KEY UPDATE quantity = quantity + VALUE(quantity)
            """
        let rows = [1, 1, 9].map { [Value.integer($0), .integer(5)] }
        _ = try connection.executeBulk(sql, rows)
        #expect(try connection.number("SELECT SUM(quantity) FROM product") == 65)
    }
}
