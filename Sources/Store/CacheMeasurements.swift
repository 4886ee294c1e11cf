import Metrics

/// What the cache is good for, by what is kept in it.
struct CacheMeasurements: Sendable {
    private let hits: Counter
    private let misses: Counter
    private let errors: Counter
    private let fills: Counter

    init(of cache: String) {
        func requests(_ result: String) -> Counter {
            Counter(
                label: "commerce_cache_requests_total",
                dimensions: [("cache", cache), ("result", result)])
        }
        hits = requests("hit")
        misses = requests("miss")
        errors = requests("error")
        fills = Counter(label: "commerce_cache_fills_total", dimensions: [("cache", cache)])
    }

    /// Entries were looked up; an error is one for each.
    ///
    /// - Parameter found: nil when memcached could not be asked.
    func lookedUp(_ count: Int, found: Int?) {
        guard let found else { return errors.increment(by: count) }
        if found > 0 { hits.increment(by: found) }
        if found < count { misses.increment(by: count - found) }
    }

    /// An entry was put in.
    func filled() { fills.increment() }
}
