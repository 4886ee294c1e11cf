import AMQP
import Commerce
import Logging
import Threads

/// The messages of one connection that are neither acknowledged nor given back.
struct MessageDesk {
    /// A message that is here.
    struct Item {
        let event: QueuedEvent
        fileprivate let delivery: Consumer.Delivery
        fileprivate var attempts = 0
        /// When it is given back at the latest.
        fileprivate let end: MonotonicTime
        fileprivate var due = MonotonicTime.now
    }

    private let consumer: Consumer
    private let options: NotificationConsumer.Options
    private let logger: Logger
    private let backoff: Backoff
    /// What waits for another attempt.
    private var waiting: [Item] = []
    /// Between attempts when nothing can be sent at all.
    private var pause = GrowingPause(firstMilliseconds: 500, millisecondsMax: 30_000)
    private var complaint = Complaint()

    init(_ consumer: Consumer, _ options: NotificationConsumer.Options, _ logger: Logger) {
        self.consumer = consumer
        self.options = options
        self.logger = logger
        var backoff = Backoff()
        backoff.firstPauseMilliseconds = options.firstPauseMilliseconds
        backoff.pauseMillisecondsMax = options.pauseMillisecondsMax
        self.backoff = backoff
    }

    /// What is due again, and then what has come. A malformed message goes to the dead letters.
    ///
    /// - Returns: at most `countMax`; none when there are none in time.
    mutating func next(
        _ countMax: Int, withinMilliseconds limit: Int
    ) throws(AMQPError) -> [Item] {
        var items = takeDue(countMax)
        let patience = items.isEmpty ? min(limit, millisecondsToNextDue ?? limit) : 0
        let come = try consumer.receive(
            countMax - items.count, withinMilliseconds: max(0, patience))
        for delivery in come {
            guard let event = QueuedEvent(envelope: delivery.message.body) else {
                // Somebody else's words, so cut short.
                let id = delivery.message.id.prefix(64)
                logger.error("malformed message", metadata: ["message_id": "\(id)"])
                try consumer.reject(delivery, requeue: false)
                continue
            }
            let end = MonotonicTime.now.advanced(byMilliseconds: options.holdMilliseconds)
            items.append(Item(event: event, delivery: delivery, end: end))
        }
        return items
    }

    /// Ends a message, or keeps it for another attempt.
    mutating func settle(_ item: Item, _ result: DeliveryResult) throws(AMQPError) {
        switch result {
        case .delivered:
            try consumer.acknowledge(item.delivery)
            if complaint.ends() { logger.info("notifications go out again") }
            pause.reset()
        case .rejected(let cause), .gone(let cause):
            logger.error(
                "notification rejected",
                metadata: ["event": "\(item.event.id.lowercased)", "cause": "\(cause)"])
            try consumer.reject(item.delivery, requeue: false)
        case .failed(let cause, let seconds):
            note(cause)
            var item = item
            item.attempts += 1
            let pause = backoff.pauseMilliseconds(
                after: item.attempts, luck: .random(in: 0...1))
            let wish = min(seconds ?? 0, options.holdMilliseconds / 1_000) * 1_000
            try keep(item, milliseconds: max(pause, wish))
        }
    }

    /// Keeps messages that no attempt was made for.
    ///
    /// - Returns: milliseconds in which there is no use in trying again.
    mutating func putBack(_ items: [Item], cause: String) throws(AMQPError) -> Int {
        note(cause)
        for item in items { try keep(item, milliseconds: 0) }
        return pause.next()
    }

    private mutating func keep(_ item: Item, milliseconds: Int) throws(AMQPError) {
        guard .now < item.end else { return try consumer.reject(item.delivery, requeue: true) }
        var item = item
        item.due = min(.now.advanced(byMilliseconds: milliseconds), item.end)
        waiting.append(item)
    }

    private mutating func takeDue(_ countMax: Int) -> [Item] {
        let now = MonotonicTime.now
        let due = waiting.indices.filter { waiting[$0].due <= now }.prefix(countMax)
        let items = due.map { waiting[$0] }
        for index in due.reversed() { waiting.remove(at: index) }
        return items
    }

    private var millisecondsToNextDue: Int? {
        waiting.map(\.due).min().map { MonotonicTime.now.milliseconds(until: $0) }
    }

    /// Not for each message.
    private mutating func note(_ cause: String) {
        guard complaint.isNews(cause) else { return }
        logger.warning("notifications fail", metadata: ["cause": "\(cause)"])
    }
}
