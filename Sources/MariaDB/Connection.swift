import CMariaDB
import Glibc

/// One session of a MariaDB server. Releasing it closes the session.
///
/// Not `Sendable`: one thread at a time uses it, which the ``Pool`` sees to. Statements are
/// prepared once and kept; values travel apart from SQL, so there is nothing to escape.
public final class Connection {
    /// Rows of one bulk round trip: enough to make the round trip cheap, few enough to bound how
    /// long the server is busy with one packet.
    static let bulkRowsMax = 1_024
    /// Bytes of one bulk round trip, well below the server's `max_allowed_packet` (16 MiB).
    static let bulkBytesMax = 4 * 1024 * 1024

    /// Whether the session can take another statement. False after the connection broke or the
    /// server withdrew; libmariadb's own reconnecting is off, since it would lose the transaction,
    /// the session's settings and the prepared statements without a word.
    public var isUsable: Bool { end == nil }
    /// What ended the session.
    private(set) var end: DatabaseError.Kind?

    private let session: UnsafeMutablePointer<MYSQL>
    private var statements = StatementCache()
    private var isInTransaction = false
    /// The lost race that ended the current transaction on the server. A statement after it would
    /// run, and stay, outside of any transaction.
    private var lostRace: DatabaseError?

    /// Connects, logs in and sets the session up.
    ///
    /// Throws what the server or libmariadb said, of kind `connectionLost` if nobody answered.
    public init(to server: Server) throws(DatabaseError) {
        precondition(Library.isReady, "libmariadb could not be initialised.")
        guard let session = mysql_init(nil) else {
            throw DatabaseError(.other, "No memory for a session.")
        }
        session.apply(server)
        guard session.connect(to: server) else {
            defer { mysql_close(session) }  // A failed init never runs deinit.
            throw DatabaseError(readingFrom: session)
        }
        self.session = session
    }

    // The statements are released after the session and so send nothing any more.
    deinit { mysql_close(session) }

    /// The server's number for this session, as KILL takes it.
    public var id: UInt { mysql_thread_id(session) }

    /// Executes a statement that returns no rows, or whose rows do not matter.
    ///
    /// Returns the rows inserted, deleted, or *found* by an UPDATE, changed or not: updating a row
    /// to what it was counts, so a count of 0 always means that no row matched. For a statement
    /// with a result it is the count of the result's rows.
    @discardableResult
    public func execute(_ sql: String, _ values: [Value] = []) throws(DatabaseError) -> Int {
        try using(sql) { statement throws(DatabaseError) in
            try statement.run(values)
            try statement.storeResult()
            return statement.affectedRows
        }
    }

    /// Executes a statement and decodes each row of its result.
    ///
    /// The result is read whole first, so its size is the query's to bound; and `decode` may use
    /// this connection, though not with the same SQL. Name the columns: a `SELECT *` loses its
    /// session when a migration adds one. Throws what the server or `decode` threw.
    public func query<T>(
        _ sql: String, _ values: [Value] = [],
        _ decode: (borrowing Row) throws(DatabaseError) -> T
    ) throws(DatabaseError) -> [T] {
        try using(sql) { statement throws(DatabaseError) in
            try statement.run(values)
            try statement.storeResult()
            var decoded: [T] = []
            while let columns = try statement.fetch() { decoded.append(try decode(Row(columns))) }
            return decoded
        }
    }

    /// Executes a statement once for each row of values, many rows a round trip (array binding).
    ///
    /// All rows have as many values as the statement has `?`. Returns the rows affected in total,
    /// counted as by ``execute(_:_:)``; no rows means 0 without a round trip. An error in the
    /// middle leaves the rows before it done, so run it in a transaction.
    public func executeBulk(_ sql: String, _ rows: [[Value]]) throws(DatabaseError) -> Int {
        guard let first = rows.first else { return 0 }
        precondition(!first.isEmpty, "A bulk statement needs at least one ?.")
        return try using(sql) { statement throws(DatabaseError) in
            var affected = 0
            var rest = rows[...]
            while !rest.isEmpty {
                let batch = rest.prefix(Self.batchCount(rest))
                try statement.runBulk(batch)
                affected += statement.affectedRows
                rest = rest.dropFirst(batch.count)
            }
            return affected
        }
    }

    /// Runs `body` between START TRANSACTION and COMMIT, and ROLLBACK when it throws.
    ///
    /// Throws what `body` threw, also when the rollback fails too; ``CommitOutcomeUnknown`` when
    /// COMMIT was sent and it is not known what became of it; otherwise COMMIT's own error, after
    /// which nothing has happened. A lost race ends the transaction even if `body` catches it:
    /// every later statement and COMMIT throw it again.
    public func transaction<T>(_ body: (Connection) throws -> T) throws -> T {
        precondition(!isInTransaction, "MariaDB would commit the outer transaction.")
        try command("START TRANSACTION")
        isInTransaction = true
        defer {
            isInTransaction = false
            lostRace = nil
        }
        let result: T
        do {
            result = try body(self)
        } catch {
            rollBack()
            throw error
        }
        try commit()
        return result
    }

    /// Whether another caller may have the session: it works and no transaction was left open.
    var isReusable: Bool {
        let isInTransaction = session.pointee.server_status & UInt32(SERVER_STATUS_IN_TRANS) != 0
        return isUsable && !isInTransaction
    }

    /// Whether the other end is still there, without asking it: an idle session has nothing to
    /// say, so a readable socket is one that was closed.
    var looksAlive: Bool {
        var interest = pollfd(fd: mysql_get_socket(session), events: Int16(POLLIN), revents: 0)
        return isUsable && poll(&interest, 1, 0) == 0
    }

    private func commit() throws {
        do throws(DatabaseError) {
            if let lostRace { throw lostRace }
            try command("COMMIT")
        } catch {
            switch error.kind {
            case .lostRace, .duplicateKey, .refused:
                rollBack()
                throw error
            case .connectionLost, .sessionUnfit, .unavailable, .busy, .other:
                end = error.kind
                throw CommitOutcomeUnknown(cause: error)
            }
        }
    }

    /// Rolls back if there is a session left to do it in; without one the server does it. The
    /// error that led here matters more than one of ROLLBACK, which only ends the connection.
    private func rollBack() {
        guard isUsable else { return }
        do throws(DatabaseError) {
            try command("ROLLBACK")
        } catch {
            end = error.kind
        }
    }

    /// Executes fixed SQL without values and without a result.
    private func command(_ sql: StaticString) throws(DatabaseError) {
        let length = UInt(sql.utf8CodeUnitCount)
        let failed = sql.utf8Start.withMemoryRebound(to: CChar.self, capacity: Int(length)) {
            mysql_real_query(session, $0, length)
        }
        guard failed != 0 else { return }
        let error = DatabaseError(readingFrom: session)
        note(error)
        throw error
    }

    /// Finds or prepares the statement, and frees its result whatever happens. Two results of one
    /// statement at a time there cannot be.
    private func using<T>(
        _ sql: String, _ body: (Statement) throws(DatabaseError) -> T
    ) throws(DatabaseError) -> T {
        do throws(DatabaseError) {
            if let lostRace { throw lostRace }
            let statement = try prepare(sql)
            precondition(!statement.isInUse, "A decoder must not execute its own statement.")
            statement.isInUse = true
            defer {
                statement.freeResult()
                statement.isInUse = false
            }
            return try body(statement)
        } catch {
            note(error)
            // One that failed amid its result would wait at its next execution for a rest of it that
            // does not come (libmariadb 3.3), so none that failed is kept.
            statements.remove(sql)
            throw error
        }
    }

    private func prepare(_ sql: String) throws(DatabaseError) -> Statement {
        if let statement = statements.find(sql) { return statement }
        let statement = try Statement(sql, on: session)
        statements.insert(statement, for: sql)
        return statement
    }

    private func note(_ error: DatabaseError) {
        if error.kind.endsSession { end = error.kind }
        if isInTransaction && error.kind == .lostRace { lostRace = error }
    }

    /// How many of the rows go into one round trip; at least one.
    private static func batchCount(_ rows: ArraySlice<[Value]>) -> Int {
        var byteCount = 0
        for (index, row) in rows.prefix(bulkRowsMax).enumerated() {
            byteCount += row.reduce(0) { $0 + $1.byteCount }
            if byteCount > bulkBytesMax { return max(1, index) }
        }
        return min(rows.count, bulkRowsMax)
    }
}
