public import Commerce
import FoundationEssentials
public import Logging
import MariaDB
public import Store
import StrictJSON

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
        try Self.dividing(events) { events throws(BatchFailure) in try deliverWhole(events) }
    }

    /// As ``deliver(_:)-(Event)``, for events that came through a queue, which others may write to: what
    /// the shop did not write as it came is rejected.
    func deliver(queued events: [QueuedEvent]) throws(TargetUnavailable) -> [DeliveryResult] {
        try Self.dividing(events) { events throws(BatchFailure) in
            let written = try asking { try notifications.events(Set(events.map(\.id))) }
            let genuine = events.map { event in
                written[event.id].flatMap { event.isCopy(of: $0) ? $0 : nil }
            }
            var results = try deliverWhole(genuine.compactMap(\.self))[...]
            return genuine.map { event in
                guard event != nil, let result = results.popFirst() else {
                    return .rejected(cause: "the shop wrote no such event")
                }
                return result
            }
        }
    }

    private func deliverWhole(_ events: [Event]) throws(BatchFailure) -> [DeliveryResult] {
        var batch = Batch(events)
        batch.drop(try asking { try notifications.sent(among: batch.pendingIDs) })
        batch.address(
            try asking { try notifications.names(users: batch.users, products: batch.products) })
        let messages = batch.messages
        if !messages.isEmpty {
            let results = try send(messages)
            batch.settle(messages, results)
            record(zip(messages, results).filter { $1 == .delivered }.map(\.0.eventID))
        }
        return events.map { batch.result(of: $0) }
    }

    private func send(_ messages: [Notification]) throws(BatchFailure) -> [DeliveryResult] {
        do throws(TargetUnavailable) {
            return try channel.send(messages)
        } catch {
            throw .unavailable(error)
        }
    }

    /// Asks the database.
    private func asking<Answer>(
        _ question: () throws -> Answer
    ) throws(BatchFailure) -> Answer {
        do {
            return try question()
        } catch {
            let cause = "\(error)"
            throw error.mayPass ? .unavailable(.init(cause: cause)) : .refused(cause: cause)
        }
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

    init(_ events: [Event]) {
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
                    eventID: id, occasion: news.occasion, orderID: news.order, user: news.user,
                    phone: phone,
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

    func result(of event: Event) -> DeliveryResult {
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
        guard let document = try? JSONValue(reading: payload),
            let order = try? Int64(document.member("orderId").string()),
            let user = try? document.member("userId").integer(),
            let items = try? document.member("items").elements().map(Item.init),
            let total = try? document.member("totalPrice").integer()
        else { return nil }
        self.occasion = occasion
        self.order = OrderID(order)
        self.user = UserID(user)
        self.items = items
        self.total = Won(total)
    }
}

extension OrderNews.Item {
    private struct Overflow: Error {}

    /// - Throws: where the line is none of an order.
    init(_ line: JSONValue) throws {
        product = ProductID(try line.member("productId").integer())
        quantity = try line.member("quantity").integer()
        let price = try line.member("price").integer()
        let (amount, overflows) = price.multipliedReportingOverflow(by: quantity)
        if overflows { throw Overflow() }
        self.amount = Won(amount)
    }
}
