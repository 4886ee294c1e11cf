import CoreMetrics
import Prometheus
import Testing

/// The registry writes what swift-metrics counts as Prometheus reads it.
@Suite struct PrometheusRegistry {
    private let registry = Registry(families: [
        "size": .init("Sizes.\nOf a \\ kind.", bounds: [1, 10]), "wait_seconds": .init("Waits."),
    ])

    private var lines: [String] {
        String(decoding: registry.text, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func `labels and help are escaped`() {
        Counter(label: "odd_total", dimensions: [("what", "a\"b\\c\nd")], factory: registry)
            .increment()
        Recorder(label: "size", factory: registry).record(1)
        #expect(lines.contains(#"odd_total{what="a\"b\\c\nd"} 1"#))
        #expect(lines.contains(#"# HELP size Sizes.\nOf a \\ kind."#))
    }

    @Test func `what Prometheus' parser makes of odd labels and values is nothing to complain of`()
        throws
    {
        Counter(label: "odd_total", dimensions: [("what", "a\"b\\c\nd한글")], factory: registry)
            .increment()
        for (name, value) in [("huge", 1e300), ("endless", Double.infinity), ("none", .nan)] {
            Gauge(label: name, factory: registry).record(value)
        }
        let folder = try ScratchFolder()
        let page = String(decoding: registry.text, as: UTF8.self)
        // No family of these has a HELP line; that is all that there is to say.
        let complaints = try MetricsPage.complaints(about: page, in: folder.path)
        #expect(!complaints.contains("error"), "\(complaints)")
    }

    @Test func `a gauge is its last value and a histogram counts upwards`() {
        Gauge(label: "level", factory: registry).record(3)
        Gauge(label: "level", factory: registry).record(2)
        for value in [1, 2, 10, 11] { Recorder(label: "size", factory: registry).record(value) }
        Timer(label: "wait_seconds", factory: registry).recordMilliseconds(30)
        let lines = lines
        #expect(lines.filter { $0.hasPrefix("level") } == ["level 2.0"])
        #expect(
            lines.filter { $0.hasPrefix("size") } == [
                #"size_bucket{le="1.0"} 1"#, #"size_bucket{le="10.0"} 3"#,
                #"size_bucket{le="+Inf"} 4"#, "size_sum 24.0", "size_count 4",
            ])
        #expect(lines.contains(#"wait_seconds_bucket{le="0.025"} 0"#))
        #expect(lines.contains(#"wait_seconds_bucket{le="0.05"} 1"#))
        #expect(lines.contains("wait_seconds_sum 0.03"))
    }

    @Test func `a family is announced once, whatever its labels`() {
        for pool in ["a", "b"] {
            registry.observe(.gauge, "pool", [("name", pool)]) { pool == "a" ? 1 : nil }
        }
        #expect(lines == ["# TYPE pool gauge", #"pool{name="a"} 1.0"#])
    }

    @Test func `series of a name are added up, histograms bucket by bucket`() {
        for (kind, values) in [("a", [1, 2, 11]), ("b", [1, 99])] {
            for value in values {
                Recorder(label: "size", dimensions: [("kind", kind)], factory: registry)
                    .record(value)
            }
        }
        #expect(registry.sum(of: "size") == [2, 3, 5])
        #expect(registry.sum(of: "size") { $0.contains("kind=\"b\"") } == [1, 1, 2])
        registry.observe(.gauge, "level", [("at", "1")]) { 2.5 }
        registry.observe(.gauge, "level", [("at", "2")]) { 1 }
        #expect(registry.sum(of: "level") == [3.5])
        #expect(registry.sum(of: "nothing") == nil)
        #expect(registry.sum(of: "size") { _ in false } == nil)
    }

    @Test func `nothing is lost when many count at once`() throws {
        let registry = registry
        _ = try inParallel(8_000, threads: 8, nothing) { _, _ in
            Counter(label: "many_total", factory: registry).increment()
            Timer(label: "wait_seconds", factory: registry).recordNanoseconds(1_000)
        }
        #expect(lines.contains("many_total 8000"))
        #expect(lines.contains("wait_seconds_count 8000"))
    }
}
