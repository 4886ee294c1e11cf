import Metrics
public import Store

/// What becomes of deliveries, by the kind of their target.
struct DeliveryMeasurements: Sendable {
    private let delivered: Counter
    private let failed: Counter
    private let dead: Counter
    private let canceled: Counter

    init(of target: TargetID) {
        func counter(_ result: String) -> Counter {
            Counter(
                label: "commerce_deliveries_total",
                dimensions: [("target", target.kind), ("result", result)])
        }
        delivered = counter("delivered")
        failed = counter("failed")
        dead = counter("dead")
        canceled = counter("canceled")
    }

    func count(_ marks: [Mark]) {
        for mark in marks {
            switch mark.verdict {
            case .delivered: delivered.increment()
            case .again: failed.increment()
            case .dead: dead.increment()
            case .canceled: canceled.increment()
            case .givenBack: break
            }
        }
    }
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

extension TargetID {
    /// A label of few values: endpoints come and go.
    fileprivate var kind: String { self == .notification ? "notification" : "webhook" }
}
