import CMariaDB

/// One prepared statement of one session. Closed when released.
final class Statement {
    /// When the connection last used it, counted in uses: the cache closes the least recent.
    var lastUse: UInt64 = 0
    /// Whether it is being executed or its rows are being decoded.
    var isInUse = false

    private let handle: UnsafeMutablePointer<MYSQL_STMT>
    private let parameters: Parameters
    private var columns: ResultColumns?
    private var arraySize: UInt32 = 0

    init(
        _ sql: String, on session: UnsafeMutablePointer<MYSQL>
    ) throws(DatabaseError) {
        guard let handle = mysql_stmt_init(session) else {
            throw DatabaseError(readingFrom: session)
        }
        var sql = sql
        let failed = sql.withUTF8 { text in
            text.withMemoryRebound(to: CChar.self) {
                mysql_stmt_prepare(handle, $0.baseAddress, UInt($0.count))
            }
        }
        guard failed == 0 else {
            defer { mysql_stmt_close(handle) }
            throw DatabaseError(readingFrom: handle)
        }
        self.handle = handle
        self.parameters = Parameters(count: Int(mysql_stmt_param_count(handle)))
    }

    deinit { mysql_stmt_close(handle) }

    /// How many rows the last execution changed, inserted or found to change.
    var affectedRows: Int { Int(truncatingIfNeeded: mysql_stmt_affected_rows(handle)) }

    /// Executes once. A result, if there is one, waits for `fetch` and `freeResult`.
    func run(_ values: [Value]) throws(DatabaseError) {
        try setArraySize(0)
        try check(parameters.bind(values, to: handle))
        try check(mysql_stmt_execute(handle) == 0)
    }

    /// Executes once for each row, in one round trip.
    func runBulk(_ rows: ArraySlice<[Value]>) throws(DatabaseError) {
        let bulk = BulkParameters(rows)
        for row in rows {
            precondition(row.count == parameters.count, "A row must fill every ? of its statement.")
        }
        try setArraySize(UInt32(rows.count))
        let bound = bulk.bind(to: handle)
        let executed = bound && mysql_stmt_execute(handle) == 0
        withExtendedLifetime(bulk) {}
        try check(executed)
    }

    /// Reads the whole result into the client's memory, so that the session is free for other
    /// statements while rows are decoded; then `fetch` goes from row to row.
    func storeResult() throws(DatabaseError) {
        guard mysql_stmt_field_count(handle) > 0 else { return }
        let fields = UnsafeBufferPointer(
            start: handle.pointee.fields, count: Int(handle.pointee.field_count))
        if columns?.fit(fields) != true {
            let columns = ResultColumns(fields)
            self.columns = columns
            try check(columns.bind(to: handle))
        }
        try check(mysql_stmt_store_result(handle) == 0)
    }

    /// Moves to the next row; nil after the last.
    func fetch() throws(DatabaseError) -> ResultColumns? {
        guard let columns, mysql_stmt_field_count(handle) > 0 else { return nil }
        switch mysql_stmt_fetch(handle) {
        case 0: return columns
        case MYSQL_NO_DATA: return nil
        case MYSQL_DATA_TRUNCATED:
            try check(columns.growAndRefetch(from: handle))
            return columns
        default: throw DatabaseError(readingFrom: handle)
        }
    }

    /// Drops what is left of the result. Must follow every execution, whatever came between.
    func freeResult() {
        mysql_stmt_free_result(handle)
        if let columns, columns.shrink(), !columns.bind(to: handle) { self.columns = nil }
    }

    private func setArraySize(_ size: UInt32) throws(DatabaseError) {
        guard size != arraySize else { return }
        arraySize = size
        try check(mysql_stmt_attr_set(handle, STMT_ATTR_ARRAY_SIZE, &arraySize) == 0)
    }

    private func check(_ succeeded: Bool) throws(DatabaseError) {
        if !succeeded { throw DatabaseError(readingFrom: handle) }
    }
}
