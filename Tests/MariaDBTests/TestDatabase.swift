import Glibc
import MariaDB
import Testing

/// A database of its own for one test, dropped when the test lets go of it.
///
/// `COMMERCE_TEST_MARIADB_SOCKET` names the server's socket; the login is that of the system user.
final class TestDatabase {
    let server: Server

    init() throws {
        let socket = try #require(
            getenv("COMMERCE_TEST_MARIADB_SOCKET"), "Set COMMERCE_TEST_MARIADB_SOCKET.")
        let user = String(cString: getpwuid(getuid()).pointee.pw_name)
        let name = "commerce_test_\(UInt64.random(in: 0...UInt64.max))"
        var server = Server(
            address: .socket(path: String(cString: socket)), user: user, password: "",
            database: nil)
        try Connection(to: server).execute("CREATE DATABASE \(name) CHARACTER SET utf8mb4")
        server.database = name
        self.server = server
    }

    deinit { _ = try? connect().execute("DROP DATABASE \(server.database ?? "")") }

    func connect() throws -> Connection { try Connection(to: server) }

    func pool(size: Int = 4, waitLimitMilliseconds: Int = 5_000) -> Pool {
        Pool(server: server, size: size, waitLimitMilliseconds: waitLimitMilliseconds)
    }

    /// A session with a table of five products, `id` 1…5, each with a quantity of 10 and version 1.
    func withProducts() throws -> Connection {
        let connection = try connect()
        try connection.execute(
            """
            CREATE TABLE product (
                id BIGINT PRIMARY KEY, name VARCHAR(50) NULL UNIQUE,
                quantity BIGINT NOT NULL CHECK (quantity >= 0), version INT NOT NULL)
            """)
        let rows = (1...5).map { id -> [Value] in
            [.integer(id), .text("p\(id)"), .integer(10), .integer(1)]
        }
        _ = try connection.executeBulk("INSERT INTO product VALUES (?, ?, ?, ?)", rows)
        return connection
    }
}

extension Connection {
    /// The only number of a result of one row.
    func number(_ sql: String, _ values: [Value] = []) throws -> Int64? {
        try query(sql, values) { row throws(DatabaseError) in try row.integer(0) }.first
    }

    func kill(_ id: UInt) throws { try execute("KILL CONNECTION \(id)") }
}

/// Work on a thread of its own, since calls to the database block.
struct Background<T: Sendable> {
    private let result = Result()
    private let thread: pthread_t

    init(_ body: @escaping @Sendable () -> T) {
        let result = result
        thread = startThread { result.value = body() }
    }

    /// Waits for the thread to end. Call it once.
    func value() -> T {
        pthread_join(thread, nil)
        return result.value!
    }

    /// Unchecked: written by the thread, read after its end.
    private final class Result: @unchecked Sendable { var value: T? }
}

private final class Job: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

private func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
    var thread = pthread_t()
    let job = Unmanaged.passRetained(Job(body)).toOpaque()
    pthread_create(
        &thread, nil,
        { job in
            Unmanaged<Job>.fromOpaque(job!).takeRetainedValue().body()
            return nil
        }, job)
    return thread
}

/// Runs `body` and returns the database's error, or nil.
func databaseError(_ body: () throws -> Void) -> DatabaseError? {
    do {
        try body()
        return nil
    } catch {
        return error as? DatabaseError
    }
}

/// Seconds that `body` took.
func seconds(_ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock()
    let duration = try clock.measure { try body() }
    return duration / .seconds(1)
}
