import MariaDB
public import Threads

/// Deletes what nobody needs any more, in small transactions, oldest first.
///
/// Any number of processes may do this at once.
public struct Purge: Sendable {
    /// How long a used key is remembered at least: what the API promises its clients.
    private static let keyHours: Int64 = 72
    /// Rows deleted in one transaction: few, so that nobody waits for its locks.
    private static let sliceMax = 500

    let pool: Pool

    public init(pool: Pool) {
        self.pool = pool
    }

    /// What was deleted.
    public struct Counts: Sendable, Equatable {
        public var deliveries = 0
        public var events = 0
        public var notifications = 0
        public var keys = 0

        public var isEmpty: Bool { self == Counts() }
    }

    /// Deletes deliveries that ended so long ago, except dead ones; events that have no delivery
    /// left; the notes of notifications of that age; and idempotency keys whose time is over.
    ///
    /// - Parameter deadline: after which no further slice begins; what is left waits for the next
    ///   time.
    /// - Throws: `DatabaseError` or `CommitOutcomeUnknown` when the database cannot answer.
    public func run(olderThanHours hours: Int, until deadline: MonotonicTime) throws -> Counts {
        var counts = Counts()
        for state in [DeliveryState.delivered, .canceled] {
            try inSlices(until: deadline) {
                let slice = try deleteEnded(state, olderThanHours: hours)
                counts.deliveries += slice.deliveries
                counts.events += slice.events
                return slice.deliveries
            }
        }
        counts.notifications = try inSlices(until: deadline) {
            try delete("notification", before: hours, by: "sent_at")
        }
        counts.keys = try inSlices(until: deadline) {
            try delete("idempotency_key", before: Int(Self.keyHours), by: "created_at")
        }
        return counts
    }

    @discardableResult
    private func inSlices(
        until deadline: MonotonicTime, _ delete: () throws -> Int
    ) throws -> Int {
        var (count, slice) = (0, Self.sliceMax)
        while slice == Self.sliceMax && .now < deadline {
            slice = try delete()
            count += slice
        }
        return count
    }

    private func delete(_ table: String, before hours: Int, by column: String) throws -> Int {
        try withRetries { _ in
            try pool.withConnection { connection in
                try connection.execute(
                    """
                    DELETE FROM \(table) WHERE \(column) < UTC_TIMESTAMP(6) - INTERVAL ? HOUR
                    ORDER BY \(column) LIMIT \(Self.sliceMax)
                    """, [.integer(Int64(hours))])
            }
        }
    }

    // MARK: - Deliveries and their events

    private func deleteEnded(
        _ state: DeliveryState, olderThanHours hours: Int
    ) throws -> (deliveries: Int, events: Int) {
        try withRetries { _ in
            try pool.withConnection { connection in
                try connection.transaction { connection in
                    let ended = try connection.query(
                        """
                        SELECT id, event_id FROM delivery FORCE INDEX (delivery_by_end)
                        WHERE state = ? AND finished_at < UTC_TIMESTAMP(6) - INTERVAL ? HOUR
                        ORDER BY finished_at LIMIT \(Self.sliceMax) FOR UPDATE SKIP LOCKED
                        """, [.text(state.rawValue), .integer(Int64(hours))]
                    ) { row throws(DatabaseError) in (try row.integer(0), try row.uuid(1)) }
                    if ended.isEmpty { return (0, 0) }
                    let events = Batch.padded(Set(ended.map(\.1)).map(Value.uuid))
                    let list = Batch.placeholders(events.count)
                    // Two that delete the last two deliveries of an event each see the other's: so
                    // they take turns, and the second deletes the event.
                    try connection.execute(
                        "SELECT 1 FROM outbox WHERE id IN (\(list)) ORDER BY id FOR UPDATE", events)
                    try connection.execute(
                        "DELETE FROM delivery WHERE id IN (\(Batch.placeholders(ended.count)))",
                        Batch.padded(ended.map(\.0)))
                    let deleted = try connection.execute(
                        """
                        DELETE FROM outbox WHERE id IN (\(list)) AND NOT EXISTS
                            (SELECT 1 FROM delivery WHERE delivery.event_id = outbox.id)
                        """, events)
                    return (ended.count, deleted)
                }
            }
        }
    }
}
