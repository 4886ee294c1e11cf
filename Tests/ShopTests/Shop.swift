import Dispatch
import FoundationEssentials
import Glibc
import MariaDB
import Synchronization
import Testing

/// A whole shop for one test: database, memcached, responder and nginx of its own, with the demo's
/// data. It ends when the test lets go of it.
final class Shop: Sendable {
    let database: ShopDatabase
    let port: UInt16
    /// Between the responder and MariaDB.
    let proxy: Proxy?
    var folder: String { scratch.path }

    private let memcachedOptions: [String]
    private let scratch: ScratchFolder
    private let settings: [String: String]
    private let inherited: InheritedSocket?
    /// A MariaDB of its own, where the test asked for one.
    private let mariadb: Part?
    private let memcachedPart: Mutex<Part?>
    private let commercePart: Mutex<Part>
    /// Another responder, at a socket of its own, where the test asked for one.
    private let neighborPart: Mutex<Part?>
    /// Who delivers the shop's events, where the test asked for one.
    let worker: Part?
    private let nginx: Part
    private let client: Mutex<Client>
    private let place = Place()

    /// - Parameters:
    ///   - settings: further settings of the responder, or others than the usual.
    ///   - hasProxy: whether a proxy that the test can cut stands before MariaDB.
    ///   - inheritsSocket: whether the responder gets its socket as descriptor 0.
    ///   - hasWorker: whether its events are delivered.
    ///   - hasNeighbor: whether nginx has two responders to choose from.
    ///   - mariadbOptions: of a MariaDB of its own; nil: the run's does.
    ///   - memcachedOptions: further options of its memcached.
    init(
        _ settings: [String: String] = [:], hasProxy: Bool = false, inheritsSocket: Bool = false,
        hasWorker: Bool = false, hasNeighbor: Bool = false, mariadbOptions: [String]? = nil,
        memcachedOptions: [String] = []
    ) throws {
        self.memcachedOptions = memcachedOptions
        scratch = try ScratchFolder()
        let folder = scratch.path
        mariadb = try mariadbOptions.map { options in
            try Part.mariadb(
                in: folder, socket: "\(folder)/mariadb.sock",
                options: ["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M"] + options,
                log: "\(folder)/mariadb.log")
        }
        let mariadb =
            mariadb == nil ? try TestRun.mariadbSocket.get() : "\(folder)/mariadb.sock"
        database = try ShopDatabase(
            named: TestRun.freshName("shop_test_"), at: mariadb, isDropped: true, in: folder)
        proxy = hasProxy ? try Proxy(at: "\(folder)/proxy.sock", to: mariadb) : nil
        let socket = "\(folder)/commerce.sock"
        let usual = [
            "COMMERCE_SOCKET": socket,
            "COMMERCE_MEMCACHED": "\(folder)/memcached.sock",
            "COMMERCE_DATABASE_SOCKET": hasProxy ? "\(folder)/proxy.sock" : mariadb,
            "COMMERCE_DATABASE_NAME": database.name,
            "COMMERCE_DATABASE_USER": database.user,
            "COMMERCE_DATABASE_PASSWORD": database.password,
        ]
        self.settings = usual.merging(settings) { $1 }
        inherited = inheritsSocket ? try InheritedSocket(at: socket) : nil
        memcachedPart = Mutex(try Self.startMemcached(memcachedOptions, in: folder))
        commercePart = Mutex(
            try Self.startCommerce(self.settings, inherited, in: folder))
        neighborPart = Mutex(
            hasNeighbor ? try Self.startNeighbor(self.settings, in: folder) : nil)
        worker = hasWorker ? try Part.worker(self.settings, in: folder) : nil
        (nginx, port) = try Self.startNginx(in: folder, hasNeighbor: hasNeighbor)
        client = Mutex(Client(port: port))
        try waitUntilReady()
    }

    deinit {
        client.withLock { $0.disconnect() }
        nginx.stop()
        commercePart.withLock { $0.stop() }
        neighborPart.withLock { $0?.stop() }
        worker?.stop()
        mariadb?.killNow()  // Its data go with the folder.
        killMemcached()  // It keeps nothing, and takes a second to say goodbye.
    }

    // MARK: - Asking

    /// Asks over the shop's own connection, and checks what every response has to have.
    func get(
        _ path: String, _ fields: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Answer {
        try request("GET", path, fields, sourceLocation: sourceLocation)
    }

    func post(
        _ path: String, _ body: String, key: String? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Answer {
        let fields = key.map { ["Idempotency-Key": $0] } ?? [:]
        return try request(
            "POST", path, fields, body: Array(body.utf8), sourceLocation: sourceLocation)
    }

    func request(
        _ method: String, _ path: String, _ fields: [String: String] = [:], body: [UInt8]? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Answer {
        let answer = try client.withLock { try $0.request(method, path, fields, body: body) }
        #expect(answer.faults == [], "\(method) \(path)", sourceLocation: sourceLocation)
        return answer
    }

    /// A client of its own, for another thread.
    func newClient() -> Client { Client(port: port) }

    /// Asks `count` times from `threads` threads at once, each with a connection of its own.
    func crowd<T: Sendable>(
        _ count: Int, threads: Int = 32, _ body: @escaping @Sendable (Client, Int) throws -> T
    ) throws -> [T] {
        try inParallel(count, threads: threads, { self.newClient() }, body)
    }

    // MARK: - The database, as its owner

    @discardableResult
    func execute(_ sql: String) throws -> Int { try database.connect().execute(sql) }

    func number(_ sql: String) throws -> Int64 { try database.connect().number(sql) }

    func points(_ user: Int) throws -> Int64 {
        try number("SELECT point FROM users WHERE id = \(user)")
    }

    func stock(_ product: Int) throws -> Int64 {
        try number("SELECT quantity FROM stock WHERE product_id = \(product)")
    }

    /// Runs `body` while a transaction of ours holds the rows that `sql` locks.
    func holding<T>(_ sql: String, _ body: () throws -> T) throws -> T {
        let connection = try database.connect()
        try connection.execute("SET SESSION idle_transaction_timeout = 0")
        return try connection.transaction { connection in
            try connection.execute(sql)
            return try body()
        }
    }

    /// Runs `body` while a table is locked, so that whoever reads it waits.
    func locking<T>(_ table: String, _ body: () throws -> T) throws -> T {
        let connection = try database.connect()
        try connection.execute("LOCK TABLES \(table) WRITE")
        return try body()
    }

    /// Waits until a session of the service waits for a row that somebody else has locked.
    func waitForBlockedSession() throws { try database.awaitBlockedSession() }

    /// Ends every session of the service.
    func killSessions() throws {
        let connection = try database.connect()
        let sessions = try connection.query(
            "SELECT id FROM information_schema.processlist WHERE user = '\(database.user)'"
        ) { row throws(DatabaseError) in try row.integer(0) }
        for session in sessions { _ = try? connection.execute("KILL CONNECTION \(session)") }
    }

    // MARK: - The parts

    var memcached: Part? { memcachedPart.withLock { $0 } }

    func killMemcached() { memcached?.killNow() }

    func restartMemcached() throws {
        killMemcached()
        let part = try Self.startMemcached(memcachedOptions, in: folder)
        memcachedPart.withLock { $0 = part }
    }

    /// Empties memcached, as an operator or a restart would.
    func flushMemcached() throws {
        let socket = try UnixSocket.connected(to: "\(folder)/memcached.sock")
        try socket.send(Array("flush_all\r\n".utf8))
        guard socket.receive() == Array("OK\r\n".utf8) else { throw Failure("not flushed") }
    }

    /// The responder, the last one where several were started.
    var commerce: Part { commercePart.withLock { $0 } }

    /// Starts another responder on the same socket, beside the present one.
    func startSuccessor() throws {
        let part = try Self.startCommerce(settings, inherited, in: folder)
        commercePart.withLock { $0 = part }
    }

    /// The other responder.
    var neighbor: Part? { neighborPart.withLock { $0 } }

    /// Starts the other responder again.
    func restartNeighbor() throws {
        let part = try Self.startNeighbor(settings, in: folder)
        neighborPart.withLock { $0 = part }
    }

    func waitUntilReady() throws {
        let answer = try eventually(within: 30) {
            if let status = commerce.ended {
                throw Failure("commerce ended with \(status): \(contents(of: commerce.log))")
            }
            let answer = try? newClient().get("/readyz")
            return answer?.status == 200 ? answer : nil
        }
        if answer == nil { throw Failure("not ready: \(contents(of: commerce.log))") }
    }
}

// MARK: - How each part is started

extension Shop {
    private static func startMemcached(
        _ options: [String], in folder: String
    ) throws -> Part {
        try Part.memcached(
            at: "\(folder)/memcached.sock", options: options, log: "\(folder)/memcached.log")
    }

    private static func startCommerce(
        _ settings: [String: String], _ inherited: InheritedSocket?, in folder: String
    ) throws -> Part {
        try Part.responder(
            settings, input: inherited?.descriptor,
            log: "\(folder)/\(TestRun.freshName("commerce")).log")
    }

    private static func startNeighbor(
        _ settings: [String: String], in folder: String
    ) throws -> Part {
        let own = ["COMMERCE_SOCKET": "\(folder)/second.sock"]
        return try startCommerce(settings.merging(own) { $1 }, nil, in: folder)
    }

    /// - Parameters:
    ///   - folderName: its folder in that of the shop.
    ///   - edits: of the site's file, before the usual ones.
    static func startNginx(
        in folder: String, named folderName: String = "nginx", hasNeighbor: Bool = false,
        edits: [(old: String, new: String)] = []
    ) throws -> (Part, UInt16) {
        let port = try freePort()
        // A test may be a client from elsewhere: its X-Client is where it comes from.
        let name = "server_name 127.0.0.1;"
        let origin = "set_real_ip_from 127.0.0.1; real_ip_header X-Client; \(name)"
        let second = ["sock;", "sock.probes;"].map { end in
            let line = "server unix:/run/commerce/commerce.\(end)"
            return (old: line, new: "\(line) server unix:/run/commerce/second.\(end)")
        }
        let part = try Part.nginx(
            in: "\(folder)/\(folderName)", port: port,
            edits: edits + (hasNeighbor ? second : [])
                + [(name, origin), ("unix:/run/commerce/", "unix:\(folder)/")])
        return (part, port)
    }

    /// What the buyers were told, a JSON document each.
    var notifications: [String] { notificationLines(in: folder) }
}

/// One of the few places for a shop: MariaDB has only so many connections for all of them.
private final class Place: Sendable {
    private static let free = DispatchSemaphore(value: 4)

    init() { Self.free.wait() }

    deinit { Self.free.signal() }
}
