import Threads

/// Takes messages of one queue, which the broker keeps until they are acknowledged.
///
/// A message that is neither acknowledged nor rejected goes to another consumer when this one's
/// connection ends; and after the broker's `consumer_timeout` (half an hour by default), which ends
/// the connection.
public final class Consumer {
    /// A message, and what to call it towards the broker.
    public struct Delivery: Sendable {
        public let tag: UInt64
        public let isRedelivered: Bool
        public let key: String
        public internal(set) var message: Message
    }

    /// Bytes of a body that are kept: a hundred times what an event has. The rest of a longer one is
    /// thrown away as it comes.
    private static let bodyBytesMax = 1_024 * 1_024
    /// Bytes that a body may have: RabbitMQ's own greatest limit.
    private static let announcedBytesMax: UInt64 = 512 * 1_024 * 1_024
    /// Milliseconds after which a message that has begun must have come, and with it whatever the
    /// broker sends without end.
    private static let graceMilliseconds = 30_000

    private let connection: Connection
    /// The message that is coming in; and, after its header, how much of its body is still to come.
    private var incoming: Delivery?
    private var bodyBytesLeft: UInt64?

    /// Takes a connection over.
    ///
    /// - Parameter prefetch: messages that may be taken and not yet acknowledged.
    public init(_ connection: Connection, of queue: String, prefetch: UInt16) throws(AMQPError) {
        self.connection = connection
        try connection.consume(queue, prefetch: prefetch)
    }

    /// Waits for a message, and takes those with it that are there already.
    ///
    /// - Returns: at most `countMax`; none when none came in time.
    public func receive(
        _ countMax: Int, withinMilliseconds milliseconds: Int
    ) throws(AMQPError) -> [Delivery] {
        var deadline = MonotonicTime.now.advanced(byMilliseconds: milliseconds)
        var deliveries: [Delivery] = []
        let end = deadline.advanced(byMilliseconds: Self.graceMilliseconds)
        while deliveries.count < countMax {
            guard let frame = try connection.nextFrame(until: deadline) else { break }
            do throws(AMQPError) {
                guard .now < end else { throw AMQPError(unexpected: "no end of a message") }
                guard let delivery = try take(frame) else { continue }
                deliveries.append(delivery)
                deadline = .now
            } catch {
                throw connection.fail(error)
            }
        }
        return deliveries
    }

    /// Ends a message: it is done.
    public func acknowledge(_ delivery: Delivery) throws(AMQPError) {
        try connection.acknowledge(delivery.tag)
    }

    /// Gives a message back to the queue, or to where the queue puts its dead letters.
    public func reject(_ delivery: Delivery, requeue: Bool) throws(AMQPError) {
        try connection.reject(delivery.tag, requeue: requeue)
    }

    /// - Returns: a message, when this was the last of it.
    /// - Throws: for a frame that makes no sense here.
    private func take(_ frame: Frame) throws(AMQPError) -> Delivery? {
        switch frame {
        case .delivered(let tag, let isRedelivered, let key):
            guard incoming == nil else { throw AMQPError(unexpected: "a message amid another") }
            incoming = Delivery(
                tag: tag, isRedelivered: isRedelivered, key: key,
                message: Message(id: "", contentType: "", timestamp: 0, body: []))
            bodyBytesLeft = nil
            return nil
        case .header(let message, let bodyBytes):
            guard incoming != nil, bodyBytesLeft == nil, bodyBytes <= Self.announcedBytesMax
            else { throw AMQPError(unexpected: "a header of \(bodyBytes) bytes") }
            incoming?.message = message
            bodyBytesLeft = bodyBytes
        case .body(let piece):
            guard let left = bodyBytesLeft, piece.count <= left else {
                throw AMQPError(unexpected: "a body without a header")
            }
            bodyBytesLeft = left - UInt64(piece.count)
            let room = Self.bodyBytesMax - (incoming?.message.body.count ?? 0)
            incoming?.message.body += piece.prefix(room)
        case .confirmed, .unconfirmed, .returned, .other:
            return nil
        }
        guard bodyBytesLeft == 0 else { return nil }
        defer { (incoming, bodyBytesLeft) = (nil, nil) }
        return incoming
    }
}
