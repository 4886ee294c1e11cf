public import CoreMetrics
import Synchronization

/// Keeps every metric that is made through swift-metrics, and writes them in Prometheus' text
/// format (version 0.0.4).
///
/// Labels are used as names; a name and its dimensions are one time series. Making a metric takes a
/// lock; counting takes one atomic instruction, and no lock.
public final class Registry: MetricsFactory {
    /// What all series of one name have in common, apart from their type.
    public struct Family: Sendable {
        let help: String
        let bounds: [Double]?

        /// - Parameters:
        ///   - help: one sentence for who reads the metrics.
        ///   - bounds: upper bounds of a histogram's buckets, ascending, in the exported unit; nil for
        ///     those of its kind.
        public init(_ help: String, bounds: [Double]? = nil) {
            self.help = help
            self.bounds = bounds
        }
    }

    /// The series of one name, by their labels as they are written.
    private typealias Members = [String: any Series]

    private let families: [String: Family]
    private let all = Mutex<[String: Members]>([:])

    /// - Parameter families: by their names.
    public init(families: [String: Family] = [:]) {
        self.families = families
    }

    public func makeCounter(
        label: String, dimensions: [(String, String)]
    ) -> any CounterHandler {
        series(label, dimensions) { CounterSeries() }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions) { GaugeSeries() }
    }

    /// What does not aggregate is what swift-metrics calls a `Gauge`: its last value counts.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        if !aggregate { return series(label, dimensions) { GaugeSeries() } }
        return series(label, dimensions) { HistogramSeries(scale(label, .counts)) }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions) { HistogramSeries(scale(label, .seconds)) }
    }

    // Series stay: a counter that began anew would look like a restart.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    /// A kind of metric whose value is read when the metrics are.
    public enum Observed: Sendable {
        /// Only grows.
        case counter
        case gauge
    }

    /// Shows a value that somebody else keeps, such as the system.
    ///
    /// - Parameter read: called at each reading, on the reader's thread, so it must not wait. Nil
    ///   where there is no value at this time.
    public func observe(
        _ kind: Observed, _ name: String, _ dimensions: [(String, String)] = [],
        _ read: @escaping @Sendable () -> Double?
    ) {
        _ = series(name, dimensions) { ObservedSeries(kind, read) }
    }

    private func scale(_ name: String, _ usual: HistogramSeries.Scale) -> HistogramSeries.Scale {
        guard let bounds = families[name]?.bounds else { return usual }
        return HistogramSeries.Scale(
            bounds: bounds, unitsPerExported: usual.unitsPerExported)
    }

    private func series<Kind: Series>(
        _ name: String, _ dimensions: [(String, String)], make: () -> Kind
    ) -> Kind {
        let labels = dimensions.map { name, value in "\(name)=\"\(value.escapedAsLabel)\"" }
            .joined(separator: ",")
        return all.withLock { all in
            if let found = all[name]?[labels] {
                guard let found = found as? Kind else {
                    preconditionFailure("\(name) is two kinds of metric")
                }
                return found
            }
            let made = make()
            precondition(
                all[name]?.values.allSatisfy { $0.type == made.type } ?? true,
                "\(name) is two types of metric")
            all[name, default: [:]][labels] = made
            return made
        }
    }

    /// The upper bounds, in seconds, of the buckets of a duration whose family names none.
    public static var secondsBounds: [Double] { HistogramSeries.Scale.seconds.bounds }

    /// What the series of a name show now, added up: one number, or a histogram's cumulative counts.
    ///
    /// - Parameter isMeant: whether a series counts, by its labels as they are written.
    /// - Returns: nil where there is none.
    public func sum(
        of name: String, where isMeant: (_ labels: String) -> Bool = { _ in true }
    ) -> [Double]? {
        let members = all.withLock { $0[name] } ?? [:]
        return members.filter { isMeant($0.key) }.map(\.value.values)
            .reduce(nil) { sum, values in
                guard let sum, sum.count == values.count else { return sum ?? values }
                return zip(sum, values).map(+)
            }
    }

    /// All series as they are now, sorted by name and labels.
    public var text: [UInt8] {
        var text = ""
        for (name, members) in all.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            guard let type = members.values.first?.type else { continue }
            if let family = families[name] {
                text += "# HELP \(name) \(family.help.escapedAsHelp)\n"
            }
            text += "# TYPE \(name) \(type)\n"
            for (labels, series) in members.sorted(by: { $0.key < $1.key }) {
                series.write(to: &text, name, labels)
            }
        }
        return Array(text.utf8)
    }
}

extension String {
    fileprivate var escapedAsHelp: String {
        replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }

    fileprivate var escapedAsLabel: String {
        escapedAsHelp.replacing("\"", with: "\\\"")
    }
}
