public import AMQP
import Glibc
public import Logging
import Store
import Synchronization
public import Threads

/// Takes events out of RabbitMQ and has buyers told of them, until it is told to stop.
///
/// A message is acknowledged after its notification went out. One that could not be sent is kept here
/// and tried again after a growing pause while others pass it, and after twenty minutes given back to
/// the queue, since the broker ends a consumer that keeps a message for half an hour. So a gateway
/// that is down for hours costs no message, and some that always fail hold up no other: they would
/// have to be as many as the prefetch. What is malformed or rejected goes to the dead letters, where
/// the broker also puts what was given back a hundred times.
public final class NotificationConsumer: Sendable {
    /// How messages are taken and tried again.
    public struct Options: Sendable {
        /// After the first attempt; each further pause is four times as long.
        public var firstPauseMilliseconds = 5_000
        /// Beyond it no pause grows: when the gateway is back, nothing waits longer than that.
        public var pauseMillisecondsMax = 60_000
        /// For which a message is kept here, before it is given back.
        public var holdMilliseconds = 20 * 60 * 1_000
        /// Messages that are here at once.
        public var prefetch: UInt16 = 512
        /// For what is being sent to end when the consumer is to stop.
        public var stopSeconds = 20

        public init() {}
    }

    /// Between two looks whether it is to stop.
    private static let tickMilliseconds = 200

    private let broker: Broker
    private let service: NotificationService
    private let options: Options
    private let logger: Logger
    private let isHeld: @Sendable () -> Bool
    private let measurements: DeliveryMeasurements
    private let brokerMeasurement = BrokerMeasurement()
    private let isStopped = Atomic<Bool>(false)
    private let hasEnded = Atomic<Bool>(false)

    /// - Parameter isHeld: whether nothing may be sent now. The messages are then left to the queue,
    ///   which may be that of another shop.
    public init(
        _ broker: Broker, service: NotificationService, options: Options = Options(),
        logger: Logger, isHeld: @escaping @Sendable () -> Bool = { false }
    ) {
        self.broker = broker
        self.service = service
        self.options = options
        self.logger = logger
        self.isHeld = isHeld
        measurements = DeliveryMeasurements(of: .notification, service)
    }

    /// Works until `signals` reports a stop; then finishes what is being sent. What waits for another
    /// attempt goes back to the queue. A second signal ends the process at once.
    public func run(until signals: StopSignals) {
        let thread = WorkerThread(stackBytes: Connection.stackBytes) {
            self.work()
            self.hasEnded.store(true, ordering: .releasing)
        }
        signals.wait {}
        logger.info("stopping")
        isStopped.store(true, ordering: .relaxed)
        let ended = signals.wait(seconds: options.stopSeconds) {
            hasEnded.load(ordering: .acquiring)
        }
        guard ended else {
            logger.warning("ending amid notifications; the broker gives them out again")
            return
        }
        thread.join()
    }

    // MARK: - On its thread

    private var goesOn: Bool { !isStopped.load(ordering: .relaxed) }

    private func work() {
        var pause = GrowingPause(firstMilliseconds: 500, millisecondsMax: 5_000)
        var complaint = Complaint()
        while goesOn {
            if isHeld() {
                rest(milliseconds: Self.tickMilliseconds)
                continue
            }
            do throws(AMQPError) {
                let connection = try Connection(to: broker)
                try EventQueue.declare(on: connection)
                let consumer = try Consumer(
                    connection, of: EventQueue.notifications, prefetch: options.prefetch)
                logger.info("consuming", metadata: ["broker": "\(broker)"])
                brokerMeasurement.show(answers: true)
                _ = complaint.ends()
                pause.reset()
                var desk = MessageDesk(consumer, options, logger)
                while goesOn && !isHeld() { try serve(&desk) }
            } catch {
                brokerMeasurement.show(answers: false)
                if complaint.isNews("\(error)") {
                    logger.warning("waiting for RabbitMQ", metadata: ["cause": "\(error)"])
                }
                rest(milliseconds: pause.next())
            }
        }
    }

    /// Takes what has come and what is due again, has it sent, and ends what is done with.
    private func serve(_ desk: inout MessageDesk) throws(AMQPError) {
        let messages = try desk.next(service.eventsMax, withinMilliseconds: Self.tickMilliseconds)
        guard !messages.isEmpty else { return }
        let results: [DeliveryResult]
        do throws(TargetUnavailable) {
            results = try service.deliver(queued: messages.map(\.event))
        } catch {
            rest(milliseconds: try desk.putBack(messages, cause: error.cause))
            return
        }
        for (message, result) in zip(messages, results) {
            measurements.count(result, of: message.event.id)
            try desk.settle(message, result)
        }
    }

    private func rest(milliseconds: Int) {
        let end = MonotonicTime.now.advanced(byMilliseconds: milliseconds)
        while goesOn, .now < end {
            usleep(useconds_t(min(Self.tickMilliseconds, max(1, milliseconds))) * 1_000)
        }
    }
}
