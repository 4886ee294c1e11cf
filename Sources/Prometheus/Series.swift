import CoreMetrics
import Synchronization

/// A number that only grows.
final class CounterSeries: CounterHandler {
    private let count = Atomic<Int64>(0)

    var value: Int64 { count.load(ordering: .relaxed) }

    func increment(by amount: Int64) {
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    func reset() {
        count.store(0, ordering: .relaxed)
    }
}

/// A number that goes up and down.
final class GaugeSeries: MeterHandler {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func set(_ value: Int64) { set(Double(value)) }

    func set(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

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
}

/// How often values fell into each of some ranges.
final class HistogramSeries: TimerHandler, RecorderHandler {
    /// Upper bounds, ascending, and what one recorded unit is worth in the exported unit.
    struct Scale: Sendable {
        let bounds: [Double]
        let unit: Double

        /// Durations, recorded in nanoseconds, exported in seconds.
        static let seconds = Scale(
            bounds: [
                0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
            ], unit: 1e-9)
        /// Sizes, as of batches and queues.
        static let counts = Scale(bounds: (0...12).map { Double(1 << $0) }, unit: 1)
    }

    private final class Bucket: Sendable {
        let count = Atomic<UInt64>(0)
    }

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
        let exported = Double(value) * scale.unit
        let index = scale.bounds.firstIndex { exported <= $0 } ?? scale.bounds.count
        buckets[index].count.wrappingAdd(1, ordering: .relaxed)
        sum.wrappingAdd(value, ordering: .relaxed)
    }

    /// The series' lines; the counts of a histogram are cumulative.
    func lines(_ name: String, _ labels: String) -> [String] {
        var lines: [String] = []
        var total: UInt64 = 0
        let bounds = scale.bounds.map { "\($0)" } + ["+Inf"]
        for (bound, bucket) in zip(bounds, buckets) {
            total += bucket.count.load(ordering: .relaxed)
            let bound = "le=\"\(bound)\""
            let labels = labels.isEmpty ? bound : "\(labels),\(bound)"
            lines.append("\(name)_bucket{\(labels)} \(total)")
        }
        let exportedSum = Double(sum.load(ordering: .relaxed)) * scale.unit
        lines.append("\(name)_sum\(Registry.braced(labels)) \(exportedSum)")
        lines.append("\(name)_count\(Registry.braced(labels)) \(total)")
        return lines
    }
}
