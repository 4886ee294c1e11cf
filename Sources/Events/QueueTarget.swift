public import AMQP
public import Commerce
import FoundationEssentials
import Synchronization
import Threads

/// Publishes events to RabbitMQ. An event is delivered when the broker has confirmed it.
///
/// A message's body is the event's envelope, its id the event's, its routing key the type. Those that
/// buyers are told of must find their queue; others go to whoever has bound one.
public final class QueueTarget: Target {
    /// For a batch to be confirmed: a broker's disk takes milliseconds.
    private static let confirmMilliseconds = 15_000
    /// For which a connection may lie idle and is used again; the broker closes it after the double
    /// of its heartbeat.
    private static let idleSecondsMax = 30

    private let broker: Broker
    private let measurement = BrokerMeasurement()
    /// Deliveries take turns.
    private let line = Mutex<Line?>(nil)

    private struct Line {
        let publisher: Publisher
        let lastUse: MonotonicTime
    }

    /// Opens nothing yet.
    public init(_ broker: Broker) {
        self.broker = broker
    }

    public var eventsMax: Int { 256 }

    public func deliver(_ events: [Event]) throws(TargetUnavailable) -> [DeliveryResult] {
        do throws(TargetUnavailable) {
            let results = try Self.dividing(events) { events throws(BatchFailure) in
                try publish(events)
            }
            measurement.show(answers: true)
            return results
        } catch {
            measurement.show(answers: false)
            throw error
        }
    }

    /// Asks RabbitMQ for a sign of life, unless something is being delivered: an operator has to know
    /// that it ended before the next order comes. Takes up to some seconds.
    public func look() {
        line.withLockIfAvailable { line in
            do {
                let publisher = try Self.publisher(line, broker)
                line = nil
                try publisher.look(for: EventQueue.notifications)
                line = Line(publisher: publisher, lastUse: .now)
                measurement.show(answers: true)
            } catch {
                line = nil
                measurement.show(answers: false)
            }
        }
    }

    private func publish(_ events: [Event]) throws(BatchFailure) -> [DeliveryResult] {
        try line.withLock { line throws(BatchFailure) in
            let publisher = try Self.publisher(line, broker)
            line = nil
            let outcomes = publisher.publish(
                events.map(Self.message), to: EventQueue.exchange,
                withinMilliseconds: Self.confirmMilliseconds)
            // After a message came back the next connection makes the queues anew.
            if publisher.isUsable, !outcomes.contains(where: \.isReturn) {
                line = Line(publisher: publisher, lastUse: .now)
            }
            if let failure = Self.failure(outcomes) { throw failure }
            return outcomes.map(DeliveryResult.init)
        }
    }

    private static func publisher(
        _ line: Line?, _ broker: Broker
    ) throws(BatchFailure) -> Publisher {
        if let line {
            let end = line.lastUse.advanced(byMilliseconds: idleSecondsMax * 1_000)
            if .now < end { return line.publisher }
        }
        do throws(AMQPError) {
            let connection = try Connection(to: broker)
            try EventQueue.declare(on: connection)
            return try Publisher(connection)
        } catch {
            throw .unavailable(TargetUnavailable(cause: "RabbitMQ: \(error)"))
        }
    }

    /// Why nothing came of any of the events. A broker that says no says it to the connection, without
    /// a word on the event that is at fault.
    private static func failure(_ outcomes: [Publisher.Outcome]) -> BatchFailure? {
        let errors = outcomes.compactMap { outcome in
            if case .unknown(let error) = outcome { error } else { nil }
        }
        guard let first = errors.first, errors.count == outcomes.count else { return nil }
        let cause = "RabbitMQ: \(first)"
        return switch first.kind {
        case .unreachable: .unavailable(TargetUnavailable(cause: cause))
        case .refused: .refused(cause: cause)
        }
    }

    private static func message(
        _ event: Event
    ) -> (message: Message, key: String, isMandatory: Bool) {
        let message = Message(
            id: event.id.lowercased, contentType: "application/json",
            timestamp: event.createdAt.secondsSince1970,
            headers: event.traceparent.map { ["traceparent": $0] } ?? [:],
            body: event.envelope)
        return (message, event.type.rawValue, EventQueue.isNotified(event.type))
    }
}

extension Publisher.Outcome {
    fileprivate var isReturn: Bool {
        if case .returned = self { true } else { false }
    }
}

extension DeliveryResult {
    fileprivate init(_ outcome: Publisher.Outcome) {
        self =
            switch outcome {
            case .confirmed: .delivered
            case .returned(let reason):
                .failed(cause: "no queue takes it: \(reason)", retryAfterSeconds: nil)
            case .unconfirmed:
                .failed(cause: "RabbitMQ could not take it over", retryAfterSeconds: nil)
            case .unknown(let error):
                .failed(cause: "RabbitMQ: \(error)", retryAfterSeconds: nil)
            }
    }
}

extension Moment {
    /// Whole ones; 0 for what is no moment.
    fileprivate var secondsSince1970: UInt64 {
        let whole = "\(rfc3339.prefix(19))Z"
        guard let date = try? Date(whole, strategy: .iso8601) else { return 0 }
        return UInt64(max(0, date.timeIntervalSince1970))
    }
}
