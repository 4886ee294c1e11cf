import AMQP
import Commerce

/// The exchange and the queues of RabbitMQ that events go through.
///
/// Publisher and consumer both make them, so neither has to be started first. All are durable, and
/// the queues are quorum queues, which keep a message until most of their nodes have it on the disk.
enum EventQueue {
    /// Every event, its type being the routing key: whoever is interested binds a queue of his own.
    static let exchange = "commerce.events"
    /// What buyers are to be told.
    static let notifications = "commerce.notifications"
    /// What nobody can be told: malformed, rejected by the gateway, or given out too often.
    static let dead = "commerce.notifications.dead"

    private static let orderEvents = "order."
    /// Times that a message is given back. The consumer gives one back after a third of an hour, so
    /// it is tried for more than a day; and one that kills its consumer each time comes to an end.
    private static let deliveriesMax: Int64 = 100

    /// Whether the notification needs the event, so that it must be in a queue.
    static func isNotified(_ type: EventType) -> Bool { type.rawValue.hasPrefix(orderEvents) }

    static func declare(on connection: Connection) throws(AMQPError) {
        try connection.declareTopicExchange(exchange)
        try connection.declareQuorumQueue(dead)
        try connection.declareQuorumQueue(
            notifications,
            [
                .number("x-delivery-limit", deliveriesMax),
                .text("x-dead-letter-exchange", ""), .text("x-dead-letter-routing-key", dead),
                // A message leaves this queue when the other one has it. That wants this overflow.
                .text("x-dead-letter-strategy", "at-least-once"),
                .text("x-overflow", "reject-publish"),
            ])
        try connection.bind(notifications, to: exchange, pattern: orderEvents + "*")
    }
}
