import Commerce
import Events
import FoundationEssentials
import Logging
import MariaDB
import Store
import Synchronization

/// A notification service without the process around it, on a demo database of its own.
final class NotificationServiceUnderTest: Sendable {
    let database: ShopDatabase
    let service: NotificationService
    let scratch: ScratchFolder

    init(over makeChannel: (_ folder: String) throws -> any NotificationChannel) throws {
        scratch = try ScratchFolder()
        database = try ShopDatabase(in: scratch.path)
        service = try Self.service(on: database, over: makeChannel(scratch.path))
    }

    /// Another service on the same database, as another process would have it.
    func another(over channel: any NotificationChannel) throws -> NotificationService {
        try Self.service(on: database, over: channel)
    }

    private static func service(
        on database: ShopDatabase, over channel: any NotificationChannel
    ) throws -> NotificationService {
        let server = Server(
            address: .socket(path: try TestRun.mariadbSocket.get()), user: database.user,
            password: database.password, database: database.name)
        let pool = Pool(server: server, size: 2, waitLimitMilliseconds: 1_000)
        return NotificationService(
            Notifications(pool: pool), over: channel, logger: Logger(label: "test"))
    }

    /// What is missing when there is no result, in words.
    func absence(_ event: Event) -> String? {
        do throws(TargetUnavailable) {
            _ = try service.deliver([event])
            return nil
        } catch {
            return error.cause
        }
    }

    /// How many messages are noted as sent.
    func noted() throws -> Int64 {
        try database.connect().number("SELECT COUNT(*) FROM notification")
    }
}

/// A channel that keeps what it is given and answers as the test says.
final class RecordingChannel: NotificationChannel {
    private let sent = Mutex<[Notification]>([])
    private let result: @Sendable (Notification) -> DeliveryResult

    init(_ result: @escaping @Sendable (Notification) -> DeliveryResult = { _ in .delivered }) {
        self.result = result
    }

    var messages: [Notification] { sent.withLock { $0 } }

    var notificationsMax: Int { 100 }

    func send(_ notifications: [Notification]) -> [DeliveryResult] {
        sent.withLock { $0 += notifications }
        return notifications.map(result)
    }
}

/// An event of an order by one of the demo's users, as the ledger writes it.
func orderEvent(
    _ order: Int64, type: EventType = .orderPaid, user: Int64 = 25,
    items: [(product: Int, quantity: Int64, price: Int64)] = [(101, 2, 2_000)]
) -> Event {
    let list = items.map { item in
        #"{"productId":\#(item.product),"quantity":\#(item.quantity),"price":\#(item.price)}"#
    }
    let total = items.reduce(0) { $0 + $1.quantity * $1.price }
    return event(
        type, of: order,
        #"{"orderId":"\#(order)","userId":\#(user),"items":[\#(list.joined(separator: ","))],"#
            + #""totalPrice":\#(total)}"#)
}

func event(_ type: EventType, of aggregate: Int64, _ payload: String) -> Event {
    Event(
        id: UUID(), aggregate: .order, aggregateID: aggregate, type: type,
        payload: Array(payload.utf8), createdAt: Moment("2026-01-31 23:59:59.123456"),
        traceID: TraceID("0af7651916cd43dd8448eb211c80319c"))
}
