import Glibc
import Prometheus
import Synchronization

/// What the process has counted in the last minutes, for the charts of its status page.
///
/// A sample is the state of some counters at one moment; two of them make a rate.
final class History: Sendable {
    /// Between two samples.
    static let pauseSeconds = 2
    /// Ten minutes of them, some 100 kB.
    private static let samplesMax = 300

    private let registry: Registry
    /// When it began, in milliseconds since 1970: tells processes apart.
    private let start = History.now
    /// The oldest first.
    private let samples = Mutex<[(time: Int64, json: String)]>([])

    init(_ registry: Registry) { self.registry = registry }

    /// Remembers the present state, and forgets the oldest.
    func take() {
        let time = Self.now
        let json = sample(at: time)
        samples.withLock { samples in
            if samples.count >= Self.samplesMax { samples.removeFirst() }
            samples.append((time, json))
        }
    }

    /// What was remembered after a time, in milliseconds since 1970; all if that was another process'.
    func json(after time: Int64, of start: Int64?) -> String {
        let all = samples.withLock { $0 }
        let wanted = start == self.start ? all.filter { $0.time > time } : all
        let bounds = Registry.secondsBounds.map { "\($0)" }.joined(separator: ", ")
        return """
            {"start": \(self.start), "version": "\(CommerceTool.version)", \
            "pauseSeconds": \(Self.pauseSeconds), "boundsSeconds": [\(bounds)], \
            "samples": [\(wanted.map(\.json).joined(separator: ", "))]}
            """
    }

    private static var now: Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
    }

    // MARK: - A sample

    private func sample(at time: Int64) -> String {
        var members = ["\"time\": \(time)"]
        func add(_ name: String, _ values: [Double]?) {
            guard let values, !values.isEmpty else { return }
            let texts = values.map { "\(Int64(exactly: $0.rounded()) ?? 0)" }
            members.append(
                "\"\(name)\": "
                    + (texts.count == 1 ? texts[0] : "[\(texts.joined(separator: ", "))]"))
        }
        func number(_ name: String, _ of: String, _ parts: String...) {
            add(
                name,
                registry.sum(of: "commerce_" + of) { labels in parts.allSatisfy(labels.contains) })
        }
        number("accepted", "commands_total", "kind=\"order\"", "result=\"accepted\"")
        number("refused", "commands_total", "kind=\"order\"", "result=\"refused\"")
        add("requests", registry.sum(of: "commerce_http_requests_total", where: Self.isPublic))
        add(
            "failed",
            registry.sum(of: "commerce_http_requests_total") { labels in
                Self.isPublic(labels) && labels.contains("status=\"5xx\"")
            })
        add(
            "latency",
            registry.sum(
                of: "commerce_http_request_duration_seconds", where: Self.isPublic))
        number("commit", "ledger_settle_duration_seconds")
        number("queued", "ledger_queued")
        number("busy", "workers_busy")
        number("workers", "workers")
        number("cacheHits", "cache_requests_total", "result=\"hit\"")
        number("cacheLooks", "cache_requests_total")
        number("connections", "pool_in_use")
        number("memory", "process_resident_memory_bytes")
        number("files", "process_open_fds")
        return "{\(members.joined(separator: ", "))}"
    }

    /// Whether a series is about a route of customers.
    private static func isPublic(_ labels: String) -> Bool {
        labels.contains("route=\"/api/") || labels.contains("route=\"/products")
    }
}
