public import CoreMetrics
import Synchronization

/// Keeps every metric that is made through swift-metrics, and writes them in Prometheus' text
/// format (version 0.0.4).
///
/// Labels are used as names; a name and its dimensions are one time series. Making a metric takes a
/// lock; counting takes one atomic instruction.
public final class Registry: MetricsFactory {
    /// A name with its labels.
    fileprivate struct Series: Hashable {
        let name: String
        let labels: String

        init(_ name: String, _ dimensions: [(String, String)]) {
            self.name = name
            labels = dimensions.map { name, value in "\(name)=\"\(Self.escaped(value))\"" }
                .joined(separator: ",")
        }

        private static func escaped(_ value: String) -> String {
            value.reduce(into: "") { escaped, character in
                switch character {
                case "\\": escaped += "\\\\"
                case "\"": escaped += "\\\""
                case "\n": escaped += "\\n"
                default: escaped.append(character)
                }
            }
        }
    }

    private let counters = Mutex<[Series: CounterSeries]>([:])
    private let gauges = Mutex<[Series: GaugeSeries]>([:])
    private let histograms = Mutex<[Series: HistogramSeries]>([:])

    public init() {}

    public func makeCounter(
        label: String, dimensions: [(String, String)]
    ) -> any CounterHandler {
        counters.withLock { $0[Series(label, dimensions), made: CounterSeries()] }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauges.withLock { $0[Series(label, dimensions), made: GaugeSeries()] }
    }

    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        histograms.withLock { $0[Series(label, dimensions), made: HistogramSeries(.counts)] }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histograms.withLock { $0[Series(label, dimensions), made: HistogramSeries(.seconds)] }
    }

    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    /// All series as they are now, sorted by name.
    public var text: [UInt8] {
        var lines: [String] = []
        lines += Self.lines("counter", counters.withLock { $0 }) { name, labels, series in
            ["\(name)\(Self.braced(labels)) \(series.value)"]
        }
        lines += Self.lines("gauge", gauges.withLock { $0 }) { name, labels, series in
            ["\(name)\(Self.braced(labels)) \(series.value)"]
        }
        lines += Self.lines("histogram", histograms.withLock { $0 }) { name, labels, series in
            series.lines(name, labels)
        }
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    private static func lines<Value>(
        _ type: String, _ series: [Series: Value],
        _ write: (_ name: String, _ labels: String, Value) -> [String]
    ) -> [String] {
        let byName = Dictionary(grouping: series) { $0.key.name }
        return byName.sorted { $0.key < $1.key }.flatMap { name, members in
            ["# TYPE \(name) \(type)"]
                + members.sorted { $0.key.labels < $1.key.labels }
                .flatMap { write(name, $0.key.labels, $0.value) }
        }
    }

    static func braced(_ labels: String) -> String {
        labels.isEmpty ? "" : "{\(labels)}"
    }
}

extension Dictionary {
    /// The value of a key, made first where there is none.
    fileprivate subscript(key: Key, made value: @autoclosure () -> Value) -> Value {
        mutating get {
            if let found = self[key] { return found }
            let made = value()
            self[key] = made
            return made
        }
    }
}
