import AMQP
import Events
import FoundationEssentials
import Glibc

/// `commerce notify` on a demo database and a folder of its own.
final class NotifierUnderTest: Sendable {
    let database: ShopDatabase
    let scratch: ScratchFolder
    private let settings: [String: String]

    /// - Parameter settings: further ones, or others than the usual.
    init(on broker: TestBroker, _ settings: [String: String] = [:]) throws {
        scratch = try ScratchFolder()
        database = try ShopDatabase(in: scratch.path)
        let usual = try database.settings().merging([
            "COMMERCE_NOTIFICATION_FILE": "\(scratch.path)/n.jsonl",
            "COMMERCE_AMQP_URL": broker.url,
            "COMMERCE_DELIVERY_PAUSE_MS": "50",
        ]) { $1 }
        self.settings = usual.merging(settings) { $1 }
    }

    /// Starts a process, and returns when it consumes.
    func start() throws -> Part {
        let part = try run("notify")
        let status = eventually(within: 60) {
            contents(of: part.log).contains("consuming") ? 0 : part.ended
        }
        guard status == 0 else { throw Failure("notify: \(contents(of: part.log))") }
        return part
    }

    /// Starts any command with the same settings.
    func run(_ command: String) throws -> Part {
        try Part(
            [TestRun.commerce, command], settings: settings,
            log: "\(scratch.path)/\(TestRun.freshName(command)).log")
    }

    /// The lines of the file, as they are in the end.
    var lines: [String] {
        contents(of: "\(scratch.path)/n.jsonl").split(separator: "\n").map(String.init)
    }

    /// The orders that buyers were told of, in the order of the messages.
    var orders: [Int] {
        lines.compactMap { line in
            line.firstMatch(of: /"orderId":"([0-9]+)"/).flatMap { Int($0.1) }
        }
    }

    /// Waits for so many lines.
    func awaitOrders(_ count: Int, within seconds: Double = 30) -> [Int] {
        _ = eventually(within: seconds) { lines.count >= count ? true : nil }
        return orders
    }
}

extension TestBroker {
    /// The names of the queues, as the README has them.
    static let queue = "commerce.notifications"
    static let deadQueue = "commerce.notifications.dead"

    /// Waits until a queue has so many messages that nobody has taken.
    func awaitCount(_ count: Int, in queue: String, within seconds: Double = 20) -> Bool {
        let reached = eventually(within: seconds, pauseMilliseconds: 50) {
            (try? connect().messageCount(of: queue)) == count ? true : nil
        }
        return reached != nil
    }

    /// Removes what an earlier test has left.
    func clear() throws {
        let connection = try connect()
        try connection.deleteQueue(Self.queue)
        try connection.deleteQueue(Self.deadQueue)
    }
}
