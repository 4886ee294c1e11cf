public import Commerce
import FoundationEssentials
import MariaDB

/// Where events go: the shop's own notification, or a webhook endpoint by its number.
public enum EventTarget {}

public typealias TargetID = ID<EventTarget>

extension TargetID {
    /// The shop's own notification.
    public static let notification = TargetID(0)

    /// For logs and operators.
    public var name: String { self == .notification ? "notification" : "webhook \(self)" }
}

/// One event on its way to one target.
public struct Delivery: Sendable {
    public let id: Int64
    public let event: Event
    /// Which attempt it is, from 1. It is also what entitles its worker to ``Deliveries/mark(_:)``:
    /// once somebody else has taken the delivery, it is another number.
    public let attempt: Int
}

/// Who gets which event, and what became of it.
///
/// An event is *dispatched* to the targets of its moment, each delivery is *claimed* by one worker
/// for the time of a lease, and *marked* when the worker knows what became of it. All three hand
/// rows out by `SKIP LOCKED`, so any number of workers may do them at once. A worker that dies leaves
/// a lease that runs out: then the delivery is due again. Nothing else is needed.
///
/// Nothing is dispatched or claimed in a copy of the shop (``ShopState``): it waits, however long.
///
/// All times are the database's, so the clocks of the workers' machines do not matter.
public struct Deliveries: Sendable {
    /// Events dispatched in one transaction, and deliveries made by it: both bound how long it
    /// holds its locks.
    private static let eventsMax = 256
    private static let deliveriesMax = 2_000

    let pool: Pool

    public init(pool: Pool) {
        self.pool = pool
    }

    // MARK: - Dispatch

    /// What ``dispatch(leasing:leaseMilliseconds:)`` has done.
    public struct Dispatch: Sendable {
        /// Events dispatched.
        public let count: Int
        /// The deliveries that were made of them.
        public let deliveries: Int
        /// What is the caller's at once, as if it had claimed it.
        public let leased: [TargetID: [Delivery]]
        /// Who else has something to be claimed now.
        public let due: [TargetID]
        /// Whether more may wait.
        public let isFull: Bool

        public static let nothing = Dispatch(
            count: 0, deliveries: 0, leased: [:], due: [], isFull: false)
    }

    /// Makes the deliveries of events that have none: one for the notification, and one for each
    /// endpoint that is switched on. An endpoint gets what is dispatched after it was added.
    ///
    /// - Parameters:
    ///   - ready: targets that the caller delivers to at once. Their deliveries are made with its
    ///     lease, which spares the claim; the others are due for whoever claims them.
    ///   - leaseMilliseconds: as in ``claim(_:countMax:leaseMilliseconds:)``.
    /// - Throws: `DatabaseError` or `CommitOutcomeUnknown` when the database cannot answer. Then the
    ///   events still wait, or they are dispatched; what was leased is due after the lease.
    public func dispatch(
        leasing ready: Set<TargetID> = [], leaseMilliseconds: Int = 0
    ) throws -> Dispatch {
        try withRetries { _ in
            try pool.withConnection { connection in
                guard try Self.hasWork(on: connection) else { return .nothing }
                return try connection.transaction {
                    try Self.dispatch(
                        leasing: ready, microseconds: Int64(leaseMilliseconds) * 1_000, on: $0)
                }
            }
        }
    }

    /// ``mark(_:)`` and ``dispatch(leasing:leaseMilliseconds:)`` in one transaction.
    ///
    /// - Returns: how many marks were left alone, and what was dispatched.
    /// - Throws: `DatabaseError` or `CommitOutcomeUnknown` when the database cannot answer. Then both
    ///   are done, or neither is.
    public func mark(
        _ marks: [Mark], andDispatchLeasing ready: Set<TargetID>, leaseMilliseconds: Int
    ) throws -> (lost: Int, dispatch: Dispatch) {
        if marks.isEmpty {
            return (0, try dispatch(leasing: ready, leaseMilliseconds: leaseMilliseconds))
        }
        return try withRetries { _ in
            try pool.withConnection { connection in
                try connection.transaction { connection in
                    let marked = try Self.write(marks, on: connection)
                    let dispatch = try Self.dispatch(
                        leasing: ready, microseconds: Int64(leaseMilliseconds) * 1_000,
                        on: connection)
                    return (marks.count - marked, dispatch)
                }
            }
        }
    }

    /// Whether anything waits, without a lock.
    private static func hasWork(on connection: Connection) throws(DatabaseError) -> Bool {
        try !connection.query(
            """
            SELECT 1 FROM outbox FORCE INDEX (outbox_by_dispatch)
            WHERE dispatched_at IS NULL AND \(ShopState.shopIsLive) LIMIT 1
            """
        ) { row throws(DatabaseError) in try row.integer(0) }.isEmpty
    }

    private static func dispatch(
        leasing ready: Set<TargetID>, microseconds: Int64, on connection: Connection
    ) throws(DatabaseError) -> Dispatch {
        let targets = try lockTargets(on: connection)
        let countMax = max(1, min(eventsMax, deliveriesMax / targets.count))
        let events = try Outbox.lockUndispatched(countMax: countMax, on: connection)
        if events.isEmpty { return .nothing }
        var leased: [TargetID: [Delivery]] = [:]
        for target in targets {
            if ready.contains(target) {
                leased[target] = try insert(
                    events, for: target, attempts: 1, microseconds, on: connection)
            } else {
                _ = try insert(events, for: target, attempts: 0, 0, on: connection)
            }
        }
        try Batch.changing(events.map { Value.uuid($0.id) }) { places, ids throws(DatabaseError) in
            try connection.execute(
                """
                UPDATE outbox FORCE INDEX (PRIMARY) SET dispatched_at = UTC_TIMESTAMP(6)
                WHERE id IN (\(places))
                """, ids)
        }
        return Dispatch(
            count: events.count, deliveries: events.count * targets.count, leased: leased,
            due: targets.filter { !ready.contains($0) },
            isFull: events.count == countMax)
    }

    /// Makes the deliveries of events for one target, due after so many microseconds. One that is there
    /// already stays as it is: it must not stop the dispatch of all others for ever.
    private static func insert(
        _ events: [Event], for target: TargetID, attempts: Int, _ microseconds: Int64,
        on connection: Connection
    ) throws(DatabaseError) -> [Delivery] {
        let ids = try Batch.asking(about: events.map { Value.uuid($0.id) }) {
            places, ids throws(DatabaseError) in
            try connection.query(
                """
                INSERT IGNORE INTO delivery (event_id, target_id, attempts, due_at)
                SELECT id, ?, ?, UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND
                FROM outbox FORCE INDEX (PRIMARY) WHERE id IN (\(places))
                RETURNING event_id, id
                """,
                [.integer(target.number), .integer(Int64(attempts)), .integer(microseconds)] + ids
            ) { row throws(DatabaseError) in (try row.uuid(0), try row.integer(1)) }
        }
        let idOf = Dictionary(uniqueKeysWithValues: ids)
        return events.compactMap { event in
            idOf[event.id].map { Delivery(id: $0, event: event, attempt: attempts) }
        }
    }

    /// Who gets events. An endpoint that is being switched off meanwhile either waits for this
    /// transaction, and cancels what it has made, or is seen as off.
    static func lockTargets(on connection: Connection) throws(DatabaseError) -> [TargetID] {
        [.notification]
            + (try WebhookEndpoints.enabledIDs(lockedOn: connection)).map { TargetID($0) }
    }

    // MARK: - Claim

    /// Which targets there are, and whether something is due for each.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func targets() throws -> [(target: TargetID, isDue: Bool)] {
        try pool.withConnection { connection in
            try connection.query(
                """
                SELECT t.id, COALESCE(
                    (SELECT d.due_at FROM delivery d FORCE INDEX (delivery_by_due)
                     WHERE d.target_id = t.id AND d.state = 'PENDING'
                     ORDER BY d.due_at LIMIT 1) <= UTC_TIMESTAMP(6), FALSE)
                FROM (SELECT \(TargetID.notification) AS id UNION ALL
                      SELECT id FROM webhook_endpoint WHERE disabled_at IS NULL) t
                """
            ) { row throws(DatabaseError) in
                (TargetID(try row.integer(0)), try row.integer(1) != 0)
            }
        }
    }

    /// Takes deliveries of a target that are due, the longest due first; none of an endpoint that is
    /// switched off. Nobody else takes them before the lease has ended.
    ///
    /// - Throws: `DatabaseError` or `CommitOutcomeUnknown` when the database cannot answer. What was
    ///   claimed nevertheless is due again after the lease.
    public func claim(
        _ target: TargetID, countMax: Int, leaseMilliseconds: Int
    ) throws -> [Delivery] {
        try withRetries { _ in
            try pool.withConnection { connection in
                // Counted first, so that the claim ends with the last row that is due. One that looked
                // further would lock the row behind it for a moment, which can be another target's
                // first: its claim would pass it over, as it does with all that is locked.
                let count = try Self.dueCount(of: target, max: countMax, on: connection)
                if count == 0 { return [] }
                return try connection.transaction { connection in
                    guard try Self.lockSwitchedOn(target, on: connection) else { return [] }
                    let due = try Self.lockDue(target, countMax: count, on: connection)
                    if due.isEmpty { return [] }
                    try Self.lease(due, milliseconds: leaseMilliseconds, on: connection)
                    let events = try Outbox.read(due.map(\.event), on: connection)
                    return due.compactMap { row in
                        events[row.event].map {
                            Delivery(id: row.id, event: $0, attempt: row.attempts + 1)
                        }
                    }
                }
            }
        }
    }

    private static func dueCount(
        of target: TargetID, max countMax: Int, on connection: Connection
    ) throws(DatabaseError) -> Int {
        let count = try connection.query(
            """
            SELECT COUNT(*) FROM
                (SELECT 1 FROM delivery FORCE INDEX (delivery_by_due)
                 WHERE target_id = ? AND state = 'PENDING' AND due_at <= UTC_TIMESTAMP(6)
                    AND \(ShopState.shopIsLive)
                 LIMIT ?) due
            """, [.integer(target.number), .integer(Int64(countMax))]
        ) { row throws(DatabaseError) in try row.integer(0) }
        return Int(count.first ?? 0)
    }

    /// - Returns: whether the target may get anything; it stays so until the transaction ends.
    private static func lockSwitchedOn(
        _ target: TargetID, on connection: Connection
    ) throws(DatabaseError) -> Bool {
        if target == .notification { return true }
        return try !connection.query(
            """
            SELECT id FROM webhook_endpoint WHERE id = ? AND disabled_at IS NULL
            LOCK IN SHARE MODE
            """, [.integer(target.number)]
        ) { row throws(DatabaseError) in try row.integer(0) }.isEmpty
    }

    private struct Due {
        let id: Int64
        let event: UUID
        let attempts: Int
    }

    private static func lockDue(
        _ target: TargetID, countMax: Int, on connection: Connection
    ) throws(DatabaseError) -> [Due] {
        try connection.query(
            """
            SELECT id, event_id, attempts FROM delivery FORCE INDEX (delivery_by_due)
            WHERE target_id = ? AND state = 'PENDING' AND due_at <= UTC_TIMESTAMP(6)
            ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED
            """, [.integer(target.number), .integer(Int64(countMax))]
        ) { row throws(DatabaseError) in
            Due(
                id: try row.integer(0), event: try row.uuid(1),
                attempts: Int(try row.integer(2, in: 0...Int64(Int32.max))))
        }
    }

    private static func lease(
        _ due: [Due], milliseconds: Int, on connection: Connection
    ) throws(DatabaseError) {
        try Batch.changing(due.map { Value.integer($0.id) }) { places, ids throws(DatabaseError) in
            try connection.execute(
                """
                UPDATE delivery FORCE INDEX (PRIMARY) SET attempts = attempts + 1,
                    due_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND
                WHERE id IN (\(places))
                """, [.integer(Int64(milliseconds) * 1_000)] + ids)
        }
    }
}
