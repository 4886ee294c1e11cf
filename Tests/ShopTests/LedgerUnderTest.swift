import API
import Commerce
import Dispatch
import MariaDB
import Synchronization

@testable import Store

/// A ledger without the shop around it, on a demo database of its own: so a test decides which
/// commands meet in one batch.
final class LedgerUnderTest: Sendable {
    let database: ShopDatabase
    let ledger: Ledger
    /// Between the ledger and MariaDB.
    let proxy: Proxy
    private let scratch: ScratchFolder
    private let isClosed = Atomic<Bool>(false)

    /// - Parameter lockTimeoutSeconds: by default more than a shop's, so that a test that is slow
    ///   for once may hold a row for as long as it needs.
    init(
        _ options: Store.Shop.LedgerOptions = Store.Shop.LedgerOptions(),
        lockTimeoutSeconds: UInt32 = 4
    ) throws {
        scratch = try ScratchFolder()
        database = try ShopDatabase(in: scratch.path)
        let path = "\(scratch.path)/proxy.sock"
        proxy = try Proxy(at: path, to: try TestRun.mariadbSocket.get())
        let server = Self.service(
            of: database, at: path, lockTimeoutSeconds: lockTimeoutSeconds)
        ledger = Self.ledger(on: server, options)
    }

    deinit { close() }

    /// Closes the ledger, unless the test has done so before.
    func close() {
        if !isClosed.exchange(true, ordering: .relaxed) { ledger.close() }
    }

    /// Another ledger on the same database, as another process would have it.
    func another() throws -> Ledger {
        let socket = try TestRun.mariadbSocket.get()
        return Self.ledger(
            on: Self.service(of: database, at: socket), Store.Shop.LedgerOptions())
    }

    private static func service(
        of database: ShopDatabase, at socket: String, lockTimeoutSeconds: UInt32 = 4
    ) -> Server {
        var server = Server(
            address: .socket(path: socket), user: database.user, password: database.password,
            database: database.name)
        server.lockTimeoutSeconds = lockTimeoutSeconds
        return server
    }

    private static func ledger(
        on server: Server, _ options: Store.Shop.LedgerOptions
    ) -> Ledger {
        let pool = Pool(server: server, size: 8, waitLimitMilliseconds: 1_000)
        return Store.Shop(
            pool: pool, ledgerPool: pool, cache: Cache(nil, prefix: ""), renderer: .customer,
            ledger: options
        ).ledger
    }

    /// Submits commands while the lane is held at a first one, so that they become one batch.
    ///
    /// - Parameter meanwhile: done while they wait.
    /// - Returns: their outcomes in order.
    func inOneBatch(
        _ commands: [Command], meanwhile: () throws -> Void = {}
    ) throws -> [Ledger.Result] {
        let hold = try Hold("SELECT id FROM users WHERE id = 99 FOR UPDATE", in: database)
        let first = submit(try .charge(99, 1_000))
        try hold.awaitWaiter()
        let rest = commands.map { submit($0) }
        try meanwhile()
        try hold.release()
        _ = try first.value().get()
        return try rest.map { try $0.value() }
    }

    /// Submits a command, and returns when it waits in the lane or is about to be settled; its
    /// outcome comes later.
    func submit(_ command: Command) -> Promised {
        let promised = Promised()
        let isUnderWay = DispatchSemaphore(value: 0)
        let ledger = ledger
        TestThread.detached {
            ledger.submit(command, beforeBlocking: { isUnderWay.signal() }) { promised.keep($0) }
            isUnderWay.signal()
        }
        isUnderWay.wait()
        return promised
    }

    /// Ends the session of the service that is at a statement.
    func killWaiter() throws {
        let owner = try database.connect()
        let session = try owner.number(
            """
            SELECT id FROM information_schema.processlist
            WHERE user = '\(database.user)' AND command <> 'Sleep' LIMIT 1
            """)
        try owner.execute("KILL CONNECTION \(session)")
    }

    func number(_ sql: String) throws -> Int64 { try database.connect().number(sql) }

    /// What the events of a type are about, in ascending order.
    func events(_ type: EventType) throws -> [Int64] {
        try database.connect().query(
            "SELECT aggregate_id FROM outbox WHERE type = ? ORDER BY aggregate_id",
            [.text(type.rawValue)]
        ) { row throws(DatabaseError) in try row.integer(0) }
    }

    func points(_ user: Int64) throws -> Int64 {
        try number("SELECT point FROM users WHERE id = \(user)")
    }

    func stock(_ product: Int64) throws -> Int64 {
        try number("SELECT quantity FROM stock WHERE product_id = \(product)")
    }
}

/// An outcome that is to come, once.
final class Promised: Sendable {
    private let results = Mutex<[Ledger.Result]>([])

    func keep(_ result: Ledger.Result) { results.withLock { $0.append(result) } }

    var isKept: Bool { results.withLock { !$0.isEmpty } }

    func value(within seconds: Double = 30) throws -> Ledger.Result {
        guard let result = eventually(within: seconds, { results.withLock { $0.first } }) else {
            throw Failure("no outcome within \(seconds) s")
        }
        guard results.withLock({ $0.count }) == 1 else { throw Failure("told twice") }
        return result
    }
}

/// A transaction of the test, which holds rows that the ledger wants.
final class Hold {
    private let connection: Connection
    private let database: ShopDatabase

    init(_ statement: String, in database: ShopDatabase) throws {
        self.database = database
        connection = try database.connect()
        try connection.execute("START TRANSACTION")
        try connection.execute(statement)
    }

    func execute(_ sql: String) throws { try connection.execute(sql) }

    /// Waits until the service waits for one of the rows.
    func awaitWaiter() throws { try database.awaitBlockedSession() }

    func release() throws { try connection.execute("COMMIT") }
}

extension Command {
    static func charge(_ user: Int64, _ won: Int64, key: String? = nil) throws -> Command {
        let user = UserID(user)
        return Command(
            .charge(user: user, try ChargeAmount(Won(won))),
            idempotency: key.map { Idempotency($0, .charge, of: user, "\(won)") })
    }

    static func order(
        _ user: Int64, _ product: Int64, _ quantity: Int64 = 1, paying won: Int64? = nil,
        key: String? = nil
    ) throws -> Command {
        let user = UserID(user)
        let line = Cart.Line(product: ProductID(product), quantity: quantity)
        return Command(
            .order(user: user, try Cart([line]), payment: Won(won ?? 2_000 * quantity)),
            idempotency: key.map { Idempotency($0, .order, of: user, "\(product)") })
    }

    static func cancel(_ order: OrderID, of user: Int64, key: String? = nil) -> Command {
        let user = UserID(user)
        return Command(
            .cancel(user: user, order),
            idempotency: key.map { Idempotency($0, .cancel(order), of: user, "") })
    }
}

extension Idempotency {
    fileprivate init(_ text: String, _ scope: Scope, of user: UserID, _ request: String) {
        self.init(
            key: Key(user: user, scope: scope, text: text),
            fingerprint: Store.fingerprint(of: Array(request.utf8)))
    }
}

extension Ledger.Result {
    var isAccepted: Bool {
        if case .success(.accepted) = self { true } else { false }
    }

    var isReplayed: Bool {
        if case .success(.replayed) = self { true } else { false }
    }

    var refusal: Refusal? {
        if case .success(.refused(let refusal)) = self { refusal } else { nil }
    }

    /// Whether nothing was done for a reason that is not the client's.
    var isNotDone: Bool {
        if case .failure(.notDone) = self { true } else { false }
    }

    /// Whether nothing was done by a mistake of ours.
    var isDefect: Bool {
        if case .failure(.defect) = self { true } else { false }
    }

    var isOverloaded: Bool {
        if case .failure(.overloaded) = self { true } else { false }
    }

    var order: OrderID? {
        if case .success(.accepted(.ordered(let id))) = self { id } else { nil }
    }
}
