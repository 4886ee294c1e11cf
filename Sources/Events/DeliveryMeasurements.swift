import Commerce
import FoundationEssentials
import Glibc
import Metrics
public import Store

/// What becomes of deliveries, by the kind of their target.
struct DeliveryMeasurements: Sendable {
    private let delivered: Counter
    private let failed: Counter
    private let rejected: Counter
    private let gone: Counter
    private let delay = Timer(label: "commerce_delivery_delay_seconds")

    init(of id: TargetID, _ target: any Target) {
        let kind = target is QueueTarget ? "queue" : id.kind
        func counter(_ result: String) -> Counter {
            Counter(
                label: "commerce_deliveries_total",
                dimensions: [("target", kind), ("result", result)])
        }
        delivered = counter("delivered")
        failed = counter("failed")
        rejected = counter("rejected")
        gone = counter("gone")
    }

    /// - Parameter event: the id of an event, which knows when it was made.
    func count(_ result: DeliveryResult, of event: UUID) {
        switch result {
        case .delivered:
            delivered.increment()
            if let age = event.ageMilliseconds { delay.recordMilliseconds(age) }
        case .failed: failed.increment()
        case .rejected: rejected.increment()
        case .gone: gone.increment()
        }
    }
}

/// Whether RabbitMQ answered the last time.
struct BrokerMeasurement: Sendable {
    private let isUp = Gauge(label: "commerce_broker_up")

    func show(answers: Bool) { isUp.record(answers ? 1 : 0) }
}

/// What waits, for an operator who asks whether events arrive.
public struct BacklogMeasurements: Sendable {
    private let undispatched = Gauge(label: "commerce_outbox_undispatched")
    private let oldestAge = Gauge(label: "commerce_outbox_oldest_age_seconds")

    public init() {}

    /// Shows the backlogs as they are.
    public func show(_ outbox: Outbox.Backlog, _ backlogs: [Deliveries.Backlog]) {
        undispatched.record(outbox.count)
        oldestAge.record(
            backlogs.map(\.oldestAgeSeconds).reduce(outbox.oldestAgeSeconds, max))
        for (kind, backlogs) in Dictionary(grouping: backlogs, by: \.target.kind) {
            let dimensions = [("target", kind)]
            Gauge(label: "commerce_outbox_pending", dimensions: dimensions)
                .record(backlogs.reduce(0) { $0 + $1.pending })
            Gauge(label: "commerce_outbox_dead", dimensions: dimensions)
                .record(backlogs.reduce(0) { $0 + $1.dead })
        }
    }
}

extension UUID {
    /// Since it was made, by this machine's clock; nil where it does not say when that was.
    fileprivate var ageMilliseconds: Int64? {
        let bytes = withUnsafeBytes(of: uuid) { Array($0) }
        guard bytes[6] >> 4 == 7 else { return nil }
        let made = bytes.prefix(6).reduce(0) { $0 << 8 | Int64($1) }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return max(0, Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000 - made)
    }
}

extension TargetID {
    /// A label of few values: endpoints come and go.
    fileprivate var kind: String { self == .notification ? "notification" : "webhook" }
}
