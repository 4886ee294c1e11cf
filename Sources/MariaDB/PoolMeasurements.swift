import Metrics

/// How long a pool's callers wait for a connection.
struct PoolMeasurements: Sendable {
    private let waits: Timer
    private let timeouts: Counter

    init(of pool: String) {
        let dimensions = [("pool", pool)]
        waits = Timer(label: "commerce_pool_wait_seconds", dimensions: dimensions)
        timeouts = Counter(label: "commerce_pool_timeouts_total", dimensions: dimensions)
    }

    /// A caller has got a connection, or has not.
    ///
    /// - Parameter start: nil for one who did not have to wait: that is a wait of no time.
    func waited(since start: ContinuousClock.Instant?, inVain: Bool) {
        let (seconds, attoseconds) = start?.duration(to: .now).components ?? (0, 0)
        waits.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        if inVain { timeouts.increment() }
    }
}
