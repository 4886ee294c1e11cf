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
/// All times are the database's, so the clocks of the workers' machines do not matter.
public struct Deliveries: Sendable {
    /// Events dispatched in one transaction, and deliveries made by it: both bound how long it
    /// holds its locks.
    private static let eventsMax = 500
    private static let deliveriesMax = 2_000

    let pool: Pool

    public init(pool: Pool) {
        self.pool = pool
    }

    // MARK: - Dispatch

    /// What ``dispatch()`` has done.
    public struct Dispatch: Sendable {
        /// Events dispatched.
        public let count: Int
        /// Who has something to be claimed now.
        public let targets: [TargetID]
        /// Whether more may wait.
        public let isFull: Bool
    }

    /// Makes the deliveries of events that have none: one for the notification, and one for each
    /// endpoint that is switched on. An endpoint gets what is dispatched after it was added.
    ///
    /// - Throws: `DatabaseError` or `CommitOutcomeUnknown` when the database cannot answer. Then the
    ///   events still wait, or they are dispatched.
    public func dispatch() throws -> Dispatch {
        try withRetries { _ in
            try pool.withConnection { connection in
                guard try Self.hasWork(on: connection) else {
                    return Dispatch(count: 0, targets: [], isFull: false)
                }
                return try connection.transaction { try Self.dispatch(on: $0) }
            }
        }
    }

    /// Whether anything waits, without a lock.
    private static func hasWork(on connection: Connection) throws(DatabaseError) -> Bool {
        try !connection.query(
            """
            SELECT 1 FROM outbox FORCE INDEX (outbox_by_dispatch)
            WHERE dispatched_at IS NULL LIMIT 1
            """
        ) { row throws(DatabaseError) in try row.integer(0) }.isEmpty
    }

    private static func dispatch(on connection: Connection) throws(DatabaseError) -> Dispatch {
        let targets = try lockTargets(on: connection)
        let countMax = max(1, min(eventsMax, deliveriesMax / targets.count))
        let events = try connection.query(
            """
            SELECT id FROM outbox FORCE INDEX (outbox_by_dispatch) WHERE dispatched_at IS NULL
            ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED
            """, [.integer(Int64(countMax))]
        ) { row throws(DatabaseError) in try row.uuid(0) }
        if events.isEmpty { return Dispatch(count: 0, targets: [], isFull: false) }
        _ = try connection.executeBulk(
            "INSERT INTO delivery (event_id, target_id, due_at) VALUES (?, ?, UTC_TIMESTAMP(6))",
            events.flatMap { event in
                targets.map { [.uuid(event), .integer($0.number)] }
            })
        try connection.execute(
            """
            UPDATE outbox FORCE INDEX (PRIMARY) SET dispatched_at = UTC_TIMESTAMP(6)
            WHERE id IN (\(Batch.placeholders(events.count)))
            """, Batch.padded(events.map(Value.uuid)))
        return Dispatch(
            count: events.count, targets: targets, isFull: events.count == countMax)
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
                attempts: Int(try row.integer(2)))
        }
    }

    private static func lease(
        _ due: [Due], milliseconds: Int, on connection: Connection
    ) throws(DatabaseError) {
        try connection.execute(
            """
            UPDATE delivery FORCE INDEX (PRIMARY) SET attempts = attempts + 1,
                due_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND
            WHERE id IN (\(Batch.placeholders(due.count)))
            """, [.integer(Int64(milliseconds) * 1_000)] + Batch.padded(due.map(\.id)))
    }
}
