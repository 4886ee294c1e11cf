/// How often sizes fell into ranges, each up to a bound.
struct Histogram: Codable {
    /// Counts by upper bound, each without those below.
    var counts: [Int: Int] = [:]
    var sum = 0.0

    var count: Int { counts.values.reduce(0, +) }

    /// The mean size; 0 where there was none.
    var mean: Double { count == 0 ? 0 : sum / Double(count) }

    static func + (one: Histogram, other: Histogram) -> Histogram {
        Histogram(
            counts: one.counts.merging(other.counts, uniquingKeysWith: +), sum: one.sum + other.sum)
    }

    static func - (later: Histogram, earlier: Histogram) -> Histogram {
        let negative = Histogram(counts: earlier.counts.mapValues(-), sum: -earlier.sum)
        return later + negative
    }

    /// Such as `1: 3, 2: 1, 17–32: 640`.
    var ranges: String {
        counts.filter { $0.value != 0 }.sorted { $0.key < $1.key }.map { bound, count in
            let range =
                switch bound {
                case ...2: "\(bound)"
                case .max: "more"
                default: "\(bound / 2 + 1)–\(bound)"
                }
            return "\(range): \(count)"
        }.joined(separator: ", ")
    }
}

/// Metrics in Prometheus' text format.
struct ExportedMetrics {
    private var values: [Substring: Double] = [:]

    init(_ text: [UInt8]) {
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
            guard !line.hasPrefix("#"), let blank = line.lastIndex(of: " ") else { continue }
            values[line[..<blank]] = Double(line[line.index(after: blank)...])
        }
    }

    /// 0 where there is no such series.
    func value(_ name: String) -> Double {
        values[Substring(name)] ?? 0
    }

    /// A histogram of whole numbers without labels.
    func histogram(_ name: String) -> Histogram {
        let prefix = "\(name)_bucket{le=\""
        var bounds: [(bound: Int, total: Int)] = []
        for (series, value) in values where series.hasPrefix(prefix) {
            let text = series.dropFirst(prefix.count).dropLast(2)
            bounds.append((Double(text).flatMap { Int(exactly: $0) } ?? .max, Int(value)))
        }
        var histogram = Histogram(sum: self.value("\(name)_sum"))
        var below = 0
        for (bound, total) in bounds.sorted(by: { $0.bound < $1.bound }) {
            histogram.counts[bound] = total - below
            below = total
        }
        return histogram
    }
}
