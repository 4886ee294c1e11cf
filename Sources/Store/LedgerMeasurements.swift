import Metrics

/// What the ledger does, for an operator who asks why it is slow.
struct LedgerMeasurements: Sendable {
    private let queueDepth = Recorder(label: "commerce_ledger_queue_depth", aggregate: true)
    private let batchSize = Recorder(label: "commerce_ledger_batch_commands", aggregate: true)
    private let settleTime = Timer(label: "commerce_ledger_settle_duration_seconds")
    private let conflicts = Counter(label: "commerce_ledger_conflicts_total")
    private let retries = Counter(label: "commerce_ledger_retries_total")
    private let unknownCommits = Counter(label: "commerce_ledger_unknown_commits_total")

    func queued(_ depth: Int) { queueDepth.record(depth) }

    /// A batch was settled, however.
    func settled(_ commands: Int, in duration: Duration) {
        batchSize.record(commands)
        let (seconds, attoseconds) = duration.components
        settleTime.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    /// A batch lost a race against another process or lane.
    func conflicted() { conflicts.increment() }

    /// A batch is tried again, for whatever reason.
    func retried() { retries.increment() }

    /// The answer of a COMMIT was lost.
    func lostCommitAnswer() { unknownCommits.increment() }
}
