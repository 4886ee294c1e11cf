public import Commerce
import FoundationEssentials
public import Logging
import MariaDB
public import Store

/// Tells buyers what became of their orders: the shop's own target of events.
///
/// `order.paid` and `order.cancelled` make a message; other events are delivered without one. A
/// message is sent at least once: it is noted after it has gone out, and an event that is noted is
/// not sent again. So a buyer is told twice if the process dies between the two, or if two
/// processes have the same event at the same moment (a lease that ran out, a message that the
/// broker gave out again). To note it before sending would turn that into a message that nobody
/// ever gets.
public struct NotificationService: Target {
    private let notifications: Notifications
    private let channel: any NotificationChannel
    private let logger: Logger

    public init(
        _ notifications: Notifications, over channel: any NotificationChannel, logger: Logger
    ) {
        self.notifications = notifications
        self.channel = channel
        self.logger = logger
    }

    public var eventsMax: Int { channel.notificationsMax }

    public func deliver(_ events: [Event]) throws(TargetUnavailable) -> [DeliveryResult] {
        try deliver(
            events.map { QueuedEvent(id: $0.id, type: $0.type, payload: $0.payload) })
    }

    /// As ``deliver(_:)-(Event)``, for events that came through a queue.
    func deliver(_ events: [QueuedEvent]) throws(TargetUnavailable) -> [DeliveryResult] {
        var batch = Batch(events)
        do {
            batch.drop(try notifications.sent(among: batch.pendingIDs))
            batch.address(
                try notifications.names(users: batch.users, products: batch.products))
        } catch {
            throw TargetUnavailable(cause: "\(error)")
        }
        let messages = batch.messages
        if !messages.isEmpty {
            let results = try channel.send(messages)
            batch.settle(messages, results)
            record(zip(messages, results).filter { $1 == .delivered }.map(\.0.eventID))
        }
        return events.map { batch.result(of: $0) }
    }

    /// What is not noted is sent again should it come again. That is no reason to send it again now.
    private func record(_ sent: [UUID]) {
        do {
            try notifications.record(sent)
        } catch {
            logger.warning(
                "sent and not noted", metadata: ["count": "\(sent.count)", "cause": "\(error)"])
        }
    }
}

/// What is known of the events of one call. An event that came twice is one event.
private struct Batch {
    private var pending: [UUID: OrderNews] = [:]
    private var addressed: [Notification] = []
    private var results: [UUID: DeliveryResult] = [:]

    init(_ events: [QueuedEvent]) {
        for event in events {
            guard let occasion = Notification.Occasion(rawValue: event.type.rawValue) else {
                results[event.id] = .delivered
                continue
            }
            if let news = OrderNews(occasion, event.payload) {
                pending[event.id] = news
            } else {
                let cause = "the payload is none of \(event.type.rawValue)"
                results[event.id] = .rejected(cause: cause)
            }
        }
    }

    var pendingIDs: [UUID] { Array(pending.keys) }
    var users: Set<UserID> { Set(pending.values.map(\.user)) }
    var products: Set<ProductID> { Set(pending.values.flatMap(\.items).map(\.product)) }
    /// In the order of events, which is that of their ids.
    var messages: [Notification] {
        addressed.sorted { $0.eventID < $1.eventID }
    }

    mutating func drop(_ sent: Set<UUID>) {
        for id in sent { settle(id, .delivered) }
    }

    mutating func address(_ names: Notifications.Names) {
        for (id, news) in pending {
            guard let phone = names.phones[news.user] else {
                settle(id, .rejected(cause: "there is no user \(news.user)"))
                continue
            }
            let items = news.items.map { item in
                Notification.Item(
                    name: names.products[item.product] ?? "상품 \(item.product)",
                    quantity: item.quantity, amount: item.amount)
            }
            addressed.append(
                Notification(
                    eventID: id, occasion: news.occasion, orderID: news.order, phone: phone,
                    items: items, total: news.total))
        }
    }

    mutating func settle(_ messages: [Notification], _ results: [DeliveryResult]) {
        precondition(messages.count == results.count, "A channel owes a result for each message.")
        for (message, result) in zip(messages, results) { settle(message.eventID, result) }
    }

    private mutating func settle(_ id: UUID, _ result: DeliveryResult) {
        pending[id] = nil
        results[id] = result
    }

    func result(of event: QueuedEvent) -> DeliveryResult {
        guard let result = results[event.id] else { preconditionFailure("an event without an end") }
        return result
    }
}

/// An order as an event of it tells.
private struct OrderNews {
    struct Item {
        let product: ProductID
        let quantity: Int64
        let amount: Won
    }

    let occasion: Notification.Occasion
    let order: OrderID
    let user: UserID
    let items: [Item]
    let total: Won

    /// - Returns: nil for a payload that no order has.
    init?(_ occasion: Notification.Occasion, _ payload: [UInt8]) {
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(payload)),
            let order = Int64(document.orderId)
        else { return nil }
        var items: [Item] = []
        for item in document.items {
            let (amount, overflows) = item.price.multipliedReportingOverflow(by: item.quantity)
            guard !overflows else { return nil }
            items.append(
                Item(
                    product: ProductID(item.productId), quantity: item.quantity,
                    amount: Won(amount)))
        }
        self.occasion = occasion
        self.order = OrderID(order)
        self.user = UserID(document.userId)
        self.items = items
        self.total = Won(document.totalPrice)
    }

    private struct Document: Decodable {
        struct Item: Decodable {
            let productId: Int64
            let quantity: Int64
            let price: Int64
        }

        let orderId: String
        let userId: Int64
        let items: [Item]
        let totalPrice: Int64
    }
}
