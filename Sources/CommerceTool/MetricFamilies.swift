import Prometheus

/// What every metric of the program means, for who reads `/metrics` or draws it.
enum MetricFamilies {
    static let all = requests.merging(ledger, uniquingKeysWith: one)
        .merging(parts, uniquingKeysWith: one).merging(events, uniquingKeysWith: one)
        .merging(process, uniquingKeysWith: one)

    private static func one(_ family: Registry.Family, _: Registry.Family) -> Registry.Family {
        preconditionFailure("a metric is explained twice: \(family)")
    }

    private static let requests: [String: Registry.Family] = [
        "commerce_http_requests_total": .init("Requests answered, refused and failed ones too."),
        "commerce_http_request_duration_seconds": .init(
            "From the whole request read to its answer made."),
        "commerce_workers": .init("Threads that answer requests."),
        "commerce_workers_busy": .init("Threads that have a request in hand."),
        "commerce_requests_in_hand": .init(
            "Requests read and not answered; those that wait for a commit hold no thread."),
        "commerce_commands_total": .init("Charges, orders and cancels, by what became of them."),
        "commerce_idempotency_total": .init("Requests with an Idempotency-Key, by its use."),
    ]

    private static let ledger: [String: Registry.Family] = [
        "commerce_ledger_queue_depth": .init("Commands waiting, as each one joined them."),
        "commerce_ledger_queued": .init("Commands waiting now."),
        "commerce_ledger_batch_commands": .init("Commands settled in one transaction."),
        "commerce_ledger_settle_duration_seconds": .init(
            "From taking a batch to its outcome: reading, deciding, writing, committing."),
        "commerce_ledger_conflicts_total": .init("Batches that lost a race for a row."),
        "commerce_ledger_retries_total": .init("Attempts at a batch after its first."),
        "commerce_ledger_unknown_commits_total": .init("Commits whose answer was lost."),
    ]

    private static let parts: [String: Registry.Family] = [
        "commerce_cache_requests_total": .init(
            "Look-ups in memcached; error where it could not be asked."),
        "commerce_cache_fills_total": .init("Entries put into memcached."),
        "commerce_cache_up": .init("Whether memcached answered the last time."),
        "commerce_database_up": .init("Whether MariaDB answered the last time."),
        "commerce_pool_connections": .init("Connections to MariaDB that are open."),
        "commerce_pool_in_use": .init("Connections to MariaDB that are in use."),
        "commerce_pool_wait_seconds": .init("Waits for a connection, those of no time too."),
        "commerce_pool_timeouts_total": .init("Waits for a connection in vain."),
    ]

    private static let events: [String: Registry.Family] = [
        "commerce_deliveries_total": .init("Attempts to deliver an event, by their result."),
        "commerce_deliveries_held": .init(
            "Whether nothing is delivered because the data are a copy of the shop's."),
        "commerce_delivery_delay_seconds": .init(
            "From an event to its delivery.",
            bounds: [
                0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 21_600,
                86_400,
            ]),
        "commerce_broker_up": .init("Whether RabbitMQ answered the last time."),
        "commerce_outbox_undispatched": .init("Events that no target has been given yet."),
        "commerce_outbox_pending": .init("Deliveries that are still to be made."),
        "commerce_outbox_dead": .init("Deliveries that were given up."),
        "commerce_outbox_oldest_age_seconds": .init("Age of the oldest event not delivered."),
        "commerce_audit_violations": .init("Rows that break a rule, by the last whole audit."),
        "commerce_audit_duration_seconds": .init("Of the last whole audit."),
        "commerce_audit_last_success_timestamp_seconds": .init(
            "When the last audit came to its end, whatever it found."),
    ]

    private static let process: [String: Registry.Family] = [
        "commerce_build_info": .init("1, for the program's version and its role."),
        "commerce_process_resident_memory_bytes": .init("Memory of the process."),
        "commerce_process_open_fds": .init("Open file descriptors."),
        "commerce_process_max_fds": .init("File descriptors that the process may have."),
        "commerce_process_start_time_seconds": .init("Start of the process, since 1970."),
        "commerce_process_cpu_seconds_total": .init("Processor time, of user and system."),
    ]
}
