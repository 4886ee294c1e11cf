import CoreMetrics
import Synchronization

/// One time series.
protocol Series: AnyObject, Sendable {
    /// As a `TYPE` line names it.
    var type: String { get }

    /// What it shows: one number, or a histogram's cumulative counts; empty where there is none now.
    var values: [Double] { get }

    /// Adds the lines of this series.
    func write(to text: inout String, _ name: String, _ labels: String)
}

extension String {
    /// A line of the text format.
    fileprivate mutating func appendSample(_ name: String, _ labels: String, _ value: String) {
        self += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }
}

extension Double {
    /// As the text format spells it.
    fileprivate var sample: String {
        if isNaN { return "NaN" }
        if isInfinite { return self < 0 ? "-Inf" : "+Inf" }
        return "\(self)"
    }
}

/// A number that only grows.
final class CounterSeries: Series, CounterHandler {
    let type = "counter"
    private let count = Atomic<Int64>(0)

    func increment(by amount: Int64) {
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    func reset() {
        count.store(0, ordering: .relaxed)
    }

    var values: [Double] { [Double(count.load(ordering: .relaxed))] }

    func write(to text: inout String, _ name: String, _ labels: String) {
        text.appendSample(name, labels, "\(count.load(ordering: .relaxed))")
    }
}

/// A number that goes up and down.
final class GaugeSeries: Series, MeterHandler, RecorderHandler {
    let type = "gauge"
    private let bits = Atomic<UInt64>(0)

    func set(_ value: Int64) { set(Double(value)) }

    func set(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    func record(_ value: Int64) { set(value) }

    func record(_ value: Double) { set(value) }

    func increment(by amount: Double) {
        var before = bits.load(ordering: .relaxed)
        while true {
            let after = (Double(bitPattern: before) + amount).bitPattern
            let (done, found) = bits.compareExchange(
                expected: before, desired: after, ordering: .relaxed)
            if done { return }
            before = found
        }
    }

    func decrement(by amount: Double) { increment(by: -amount) }

    var values: [Double] { [Double(bitPattern: bits.load(ordering: .relaxed))] }

    func write(to text: inout String, _ name: String, _ labels: String) {
        let value = Double(bitPattern: bits.load(ordering: .relaxed))
        text.appendSample(name, labels, value.sample)
    }
}

/// A number that somebody else keeps.
final class ObservedSeries: Series {
    let type: String
    private let read: @Sendable () -> Double?

    init(_ kind: Registry.Observed, _ read: @escaping @Sendable () -> Double?) {
        type =
            switch kind {
            case .counter: "counter"
            case .gauge: "gauge"
            }
        self.read = read
    }

    var values: [Double] { read().map { [$0] } ?? [] }

    func write(to text: inout String, _ name: String, _ labels: String) {
        if let value = read() { text.appendSample(name, labels, value.sample) }
    }
}

/// How often values fell into each of some ranges.
final class HistogramSeries: Series, TimerHandler, RecorderHandler {
    /// Upper bounds, ascending, and how many recorded units make one exported.
    struct Scale: Sendable {
        let bounds: [Double]
        let unitsPerExported: Double

        /// Durations, recorded in nanoseconds, exported in seconds.
        static let seconds = Scale(
            bounds: [
                0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
            ], unitsPerExported: 1e9)
        /// Sizes, as of batches and queues.
        static let counts = Scale(bounds: (0...12).map { Double(1 << $0) }, unitsPerExported: 1)
    }

    private final class Bucket: Sendable {
        let count = Atomic<UInt64>(0)
    }

    let type = "histogram"
    private let scale: Scale
    /// One for each bound, and one for what is above them all.
    private let buckets: [Bucket]
    private let sum = Atomic<Int64>(0)

    init(_ scale: Scale) {
        self.scale = scale
        buckets = (0...scale.bounds.count).map { _ in Bucket() }
    }

    func recordNanoseconds(_ duration: Int64) { record(duration) }

    func record(_ value: Double) { record(Int64(value)) }

    func record(_ value: Int64) {
        let exported = Double(value) / scale.unitsPerExported
        let index = scale.bounds.firstIndex { exported <= $0 } ?? scale.bounds.count
        buckets[index].count.wrappingAdd(1, ordering: .relaxed)
        sum.wrappingAdd(value, ordering: .relaxed)
    }

    /// By bucket, each with all below it.
    private var counts: [UInt64] {
        var total: UInt64 = 0
        return buckets.map { bucket in
            total += bucket.count.load(ordering: .relaxed)
            return total
        }
    }

    var values: [Double] { counts.map { Double($0) } }

    func write(to text: inout String, _ name: String, _ labels: String) {
        let counts = counts
        let prefix = labels.isEmpty ? "" : labels + ","
        let bounds = scale.bounds.map(\.sample) + ["+Inf"]
        for (bound, count) in zip(bounds, counts) {
            text.appendSample("\(name)_bucket", "\(prefix)le=\"\(bound)\"", "\(count)")
        }
        let exportedSum = Double(sum.load(ordering: .relaxed)) / scale.unitsPerExported
        text.appendSample("\(name)_sum", labels, exportedSum.sample)
        text.appendSample("\(name)_count", labels, "\(counts.last ?? 0)")
    }
}
