import Commerce
import FoundationEssentials
import HTTPReceiver
import MariaDB

@testable import Store

/// A database of its own with workers beside it. They end when the test lets go of it.
final class Workshop: Sendable {
    let database: ShopDatabase
    let deliveries: Deliveries
    /// Between the workers and MariaDB.
    let proxy: Proxy
    let folder: String
    private let scratch: ScratchFolder
    private let endpoints: WebhookEndpoints

    init() throws {
        scratch = try ScratchFolder()
        folder = scratch.path
        database = try ShopDatabase(in: folder)
        let mariadb = try TestRun.mariadbSocket.get()
        proxy = try Proxy(at: "\(folder)/proxy.sock", to: mariadb)
        let server = Server(
            address: .socket(path: mariadb), user: database.user, password: database.password,
            database: database.name)
        let pool = Pool(server: server, size: 4, waitLimitMilliseconds: 10_000)
        deliveries = Deliveries(pool: pool)
        endpoints = WebhookEndpoints(pool: pool)
    }

    /// Starts a worker whose second attempt comes at once; unless its settings say otherwise.
    ///
    /// - Parameters:
    ///   - fileKiBMax: how large the files may be that it writes.
    ///   - shell: a command of Bash that becomes the worker, whose program is `$0`.
    func startWorker(
        _ settings: [String: String] = [:], fileKiBMax: Int? = nil,
        shell: String = #"exec "$0" work"#
    ) throws -> Part {
        let limit = fileKiBMax.map { "ulimit -f \($0); " } ?? ""
        return try Part.worker(
            workerSettings(settings), in: folder,
            command: ["bash", "-c", limit + shell, TestRun.commerce])
    }

    func workerSettings(_ settings: [String: String] = [:]) throws -> [String: String] {
        try database.settings(through: "\(folder)/proxy.sock").merging([
            "COMMERCE_DELIVERY_PAUSE_MS": "10",
            // Its events are of no orders, as the audit would rightly say.
            "COMMERCE_AUDIT_INTERVAL": "0",
        ]) { $1 }.merging(settings) { $1 }
    }

    /// Registers a receiver.
    func add(_ receiver: Receiver) throws -> TargetID {
        TargetID(try endpoints.add(receiver.url, secret: .random()))
    }

    func number(_ sql: String) throws -> Int64 { try database.connect().number(sql) }

    func execute(_ sql: String) throws { try database.connect().execute(sql) }

    func count(_ state: DeliveryState, _ target: TargetID? = nil) throws -> Int64 {
        let only = target.map { "AND target_id = \($0)" } ?? ""
        return try number(
            "SELECT COUNT(*) FROM delivery WHERE state = '\(state.rawValue)' \(only)")
    }

    /// Waits until all events are dispatched and no delivery is pending.
    func settled(within seconds: Double = 60) throws -> Bool {
        let settled = try eventually(within: seconds) { () -> Bool? in
            let waiting = try number("SELECT COUNT(*) FROM outbox WHERE dispatched_at IS NULL")
            return try waiting == 0 && count(.pending) == 0 ? true : nil
        }
        return settled ?? false
    }

    /// The ids of the events that buyers were told of, as often as they were.
    func notifiedEvents() throws -> [UUID] {
        struct Line: Decodable { let eventId: UUID }
        return try notificationLines(in: folder).map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8)).eventId
        }
    }

    /// Runs `commerce events`.
    func events(_ arguments: String...) throws -> Finished {
        try Finished(
            [TestRun.commerce, "events"] + arguments, settings: database.settings(), in: folder)
    }
}

extension Arrival {
    /// The event's id, as the receiver is to tell repeats by.
    var eventID: UUID? { headers["webhook-id"].flatMap { UUID(uuidString: $0) } }
}
