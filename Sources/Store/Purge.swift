import FoundationEssentials
public import MariaDB
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
            try deleteNotifications(olderThanHours: hours)
        }
        counts.keys = try inSlices(until: deadline) { try deleteKeys() }
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

    /// Deletes a slice of rows that nobody else is at.
    ///
    /// They are found by an index and deleted by their keys, since a DELETE that the server carries
    /// out by reading the whole table waits for every row that somebody has locked.
    private func deleteSlice(
        _ find: (Connection) throws(DatabaseError) -> [[Value]], _ delete: String
    ) throws -> Int {
        try withRetries { _ in
            try pool.withConnection { connection in
                try connection.transaction { connection in
                    try connection.executeBulk(delete, try find(connection))
                }
            }
        }
    }

    private func deleteNotifications(olderThanHours hours: Int) throws -> Int {
        try deleteSlice(
            { connection throws(DatabaseError) in
                try connection.query(
                    """
                    SELECT event_id FROM notification FORCE INDEX (notification_by_age)
                    WHERE sent_at < UTC_TIMESTAMP(6) - INTERVAL ? HOUR
                    ORDER BY sent_at LIMIT \(Self.sliceMax) FOR UPDATE SKIP LOCKED
                    """, [.integer(Int64(hours))]
                ) { row throws(DatabaseError) in [.uuid(try row.uuid(0))] }
            }, "DELETE FROM notification WHERE event_id = ?")
    }

    private func deleteKeys() throws -> Int {
        try deleteSlice(
            { connection throws(DatabaseError) in
                try connection.query(
                    """
                    SELECT user_id, scope, idem_key, order_id
                    FROM idempotency_key FORCE INDEX (idempotency_key_by_age)
                    WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL \(Self.keyHours) HOUR
                    ORDER BY created_at LIMIT \(Self.sliceMax) FOR UPDATE SKIP LOCKED
                    """
                ) { row throws(DatabaseError) in
                    [
                        .integer(try row.integer(0)), .text(try row.text(1)),
                        .text(try row.text(2)), .integer(try row.integer(3)),
                    ]
                }
            },
            """
            DELETE FROM idempotency_key
            WHERE user_id = ? AND scope = ? AND idem_key = ? AND order_id = ?
            """)
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
                    return (ended.count, try Self.delete(ended, on: connection))
                }
            }
        }
    }

    /// - Returns: how many events went along.
    private static func delete(
        _ deliveries: [(id: Int64, event: UUID)], on connection: Connection
    ) throws(DatabaseError) -> Int {
        let events = Set(deliveries.map(\.event)).sorted().map(Value.uuid)
        // Two that delete the last two deliveries of an event would wait for each other, or each
        // see the other's: so they take turns, and the second deletes the event.
        try Batch.changing(events) { places, events throws(DatabaseError) in
            try connection.execute(
                """
                SELECT 1 FROM outbox FORCE INDEX (PRIMARY)
                WHERE id IN (\(places)) ORDER BY id FOR UPDATE
                """, events)
        }
        _ = try connection.executeBulk(
            "DELETE FROM delivery WHERE id = ?", deliveries.map { [.integer($0.id)] })
        return try connection.executeBulk(
            """
            DELETE FROM outbox WHERE id = ? AND NOT EXISTS
                (SELECT 1 FROM delivery FORCE INDEX (delivery_once_a_target)
                 WHERE delivery.event_id = outbox.id)
            """, events.map { [$0] })
    }
}
