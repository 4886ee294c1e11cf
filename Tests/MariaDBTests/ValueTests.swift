import MariaDB
import Testing

@Suite struct Values {
    private let database: TestDatabase

    init() throws { database = try TestDatabase() }

    @Test func `every kind of value comes back as it went in`() throws {
        let connection = try database.connect()
        try connection.execute("CREATE TEMPORARY TABLE t (i BIGINT, s TEXT, b BINARY(4), n INT)")
        let values: [Value] = [
            .integer(.min), .text("이름 😀 \u{0} '"), .bytes([0, 255, 1, 0]), .null,
        ]
        #expect(try connection.execute("INSERT INTO t VALUES (?, ?, ?, ?)", values) == 1)
        let rows = try connection.query("SELECT * FROM t") { row throws(DatabaseError) -> [Value] in
            let none: [Any?] = [
                try row.optionalInteger(3), try row.optionalText(3), try row.optionalBytes(3),
            ]
            #expect(none.allSatisfy { $0 == nil } && row.isNull(3) && !row.isNull(0))
            return [
                .integer(try row.integer(0)), .text(try row.text(1)), .bytes(try row.bytes(2)),
                .null,
            ]
        }
        #expect(rows == [values])
    }

    @Test func `sums, dates and small integers are readable`() throws {
        let connection = try database.connect()
        let sql = """
            SELECT SUM(x), CAST('2026-02-03 04:05:06.070809' AS DATETIME(6)), TRUE,
                CAST(-7 AS DECIMAL(9, 2)), DATE('2026-02-03'), 1.5e0, YEAR('2026-01-01')
            FROM (SELECT 9000000000 AS x UNION ALL SELECT 1) AS t
            """
        let texts = try connection.query(sql) { row throws(DatabaseError) -> [String] in
            var texts: [String] = []
            for column in 0..<row.count { texts.append(try row.text(column)) }
            let numbers = [try row.integer(0), try row.integer(2), try row.integer(3)]
            #expect(numbers == [9_000_000_001, 1, -7])
            return texts
        }
        #expect(
            texts == [
                [
                    "9000000001", "2026-02-03 04:05:06.070809", "1", "-7.00", "2026-02-03", "1.5",
                    "2026",
                ]
            ])
    }

    @Test(arguments: [
        "SELECT NULL", "SELECT 'x'", "SELECT 1.5", "SELECT ''", "SELECT 18446744073709551615",
        "SELECT 9223372036854775808.0", "SELECT '1 '", "SELECT '1.x'",
    ])
    func `what is no whole number of 64 bits is not read as one`(sql: String) throws {
        let connection = try database.connect()
        let error = databaseError { _ = try connection.number(sql) }
        #expect(error?.kind == .other)
        #expect(connection.isUsable)
        #expect(try connection.number("SELECT 1") == 1)
    }

    @Test func `bytes that are not UTF-8 are not read as text`() throws {
        let connection = try database.connect()
        let error = databaseError {
            _ = try connection.query("SELECT X'FF00'") { row throws(DatabaseError) in
                let bytes = try row.bytes(0)
                #expect(bytes == [255, 0])
                return try row.text(0)
            }
        }
        #expect(error?.kind == .other)
    }

    @Test func `a large value arrives whole, and so do the rows around it`() throws {
        let connection = try database.connect()
        try connection.execute("CREATE TEMPORARY TABLE t (id INT, b LONGBLOB, s LONGTEXT)")
        let sizes = [0, 1, 63, 64, 65, 3_000_000, 64, 70_000, 0]
        for (id, size) in sizes.enumerated() {
            let bytes = [UInt8](repeating: UInt8(id), count: size)
            let text = String(repeating: "가", count: size / 3)
            let values: [Value] = [.integer(Int64(id)), .bytes(bytes), .text(text)]
            try connection.execute("INSERT INTO t VALUES (?, ?, ?)", values)
        }
        for _ in 1...2 {
            let rows = try connection.query("SELECT id, b, s FROM t ORDER BY id") {
                row throws(DatabaseError) in
                let (id, bytes) = (try row.integer(0), try row.bytes(1))
                #expect(bytes.allSatisfy { $0 == UInt8(id) })
                let text = try row.text(2)
                #expect(text.utf8.count == bytes.count / 3 * 3)
                return bytes.count
            }
            #expect(rows == sizes)
        }
    }

    @Test func `a session counts in UTC, strictly, and reads what is committed`() throws {
        let connection = try database.connect()
        let sql = """
            SELECT CONCAT_WS(' ', @@time_zone, @@tx_isolation, @@innodb_lock_wait_timeout,
                @@idle_transaction_timeout, @@character_set_connection),
                @@sql_mode LIKE '%STRICT_ALL_TABLES%'
            """
        let settings = try connection.query(sql) { row throws(DatabaseError) in
            (try row.text(0), try row.integer(1))
        }
        #expect(try #require(settings.first) == ("+00:00 READ-COMMITTED 1 10 utf8mb4", 1))
    }
}
