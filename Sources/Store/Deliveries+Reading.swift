public import Commerce
public import FoundationEssentials
import MariaDB

/// What has become of a delivery so far. The raw value is what the schema stores.
public enum DeliveryState: String, Sendable, CaseIterable {
    /// It is tried when it is due.
    case pending = "PENDING"
    case delivered = "DELIVERED"
    /// Given up, until an operator replays it.
    case dead = "DEAD"
    /// Its target was switched off, or an operator does not want it any more.
    case canceled = "CANCELED"
}

/// A delivery as the database has it.
public struct DeliveryRecord: Sendable {
    public let target: TargetID
    public let state: DeliveryState
    public let attempts: Int
    /// When it is tried; where a worker has it, when its lease ends.
    public let dueAt: Moment
    /// Of the last attempt that failed, until it has arrived or is replayed.
    public let lastError: String?
    /// Nil while it is pending.
    public let finishedAt: Moment?
}

/// An event with its deliveries.
public struct EventRecord: Sendable {
    public let event: Event
    /// By target. None: a worker has yet to make them.
    public let deliveries: [DeliveryRecord]
}

extension Deliveries {
    /// The newest events, the newest first.
    ///
    /// - Parameters:
    ///   - state: only events with deliveries in this state, the last that came to it first, and
    ///     only these deliveries.
    ///   - type: only events of this type.
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func list(
        state: DeliveryState? = nil, type: EventType? = nil, countMax: Int
    ) throws -> [EventRecord] {
        try pool.withConnection { connection in
            let ids = try Self.newest(state, type, countMax: countMax, on: connection)
            return try Self.records(ids, state, on: connection)
        }
    }

    /// - Returns: nil when there is no such event, or it was purged.
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func record(of event: UUID) throws -> EventRecord? {
        try pool.withConnection { connection in
            try Self.records([event], nil, on: connection).first
        }
    }

    /// Those of the ids that no event has, or has any more.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func unknown(among ids: [UUID]) throws -> [UUID] {
        let known = Set(try Outbox(pool: pool).events(ids).map(\.id))
        return ids.filter { !known.contains($0) }
    }

    /// Whether there is such a target, on or off.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func hasTarget(_ target: TargetID) throws -> Bool {
        if target == .notification { return true }
        return try pool.withConnection { connection in
            try connection.query(
                "SELECT COUNT(*) FROM webhook_endpoint WHERE id = ?", [.integer(target.number)]
            ) { row throws(DatabaseError) in try row.integer(0) }
        } == [1]
    }

    private static func newest(
        _ state: DeliveryState?, _ type: EventType?, countMax: Int, on connection: Connection
    ) throws(DatabaseError) -> [UUID] {
        let ofType = type == nil ? "" : "AND o.type = ?"
        let typeValue = type.map { [Value.text($0.rawValue)] } ?? []
        let limit = Value.integer(Int64(countMax))
        guard let state else {
            return try connection.query(
                "SELECT o.id FROM outbox o WHERE TRUE \(ofType) ORDER BY o.id DESC LIMIT ?",
                typeValue + [limit]
            ) { row throws(DatabaseError) in try row.uuid(0) }
        }
        // Where the state has no end, the index goes by id.
        let found = try connection.query(
            """
            SELECT o.id FROM delivery d FORCE INDEX (delivery_by_end)
            STRAIGHT_JOIN outbox o ON o.id = d.event_id
            WHERE d.state = ? \(ofType) ORDER BY d.finished_at DESC, d.id DESC LIMIT ?
            """, [.text(state.rawValue)] + typeValue + [limit]
        ) { row throws(DatabaseError) in try row.uuid(0) }
        var seen: Set<UUID> = []
        return found.filter { seen.insert($0).inserted }
    }

    private static func records(
        _ ids: [UUID], _ state: DeliveryState?, on connection: Connection
    ) throws(DatabaseError) -> [EventRecord] {
        if ids.isEmpty { return [] }
        let events = try Outbox.read(ids, on: connection)
        let rows = try Batch.asking(about: ids.map(Value.uuid)) {
            places, ids throws(DatabaseError) in
            try connection.query(
                """
                SELECT event_id, target_id, state, attempts, due_at, last_error, finished_at
                FROM delivery WHERE event_id IN (\(places)) ORDER BY event_id, target_id
                """, ids, delivery)
        }.filter { state == nil || $0.delivery.state == state }
        let byEvent = Dictionary(grouping: rows, by: \.event)
        return ids.compactMap { id in
            events[id].map {
                EventRecord(event: $0, deliveries: (byEvent[id] ?? []).map(\.delivery))
            }
        }
    }

    private static func delivery(
        _ row: borrowing Row
    ) throws(DatabaseError) -> (event: UUID, delivery: DeliveryRecord) {
        let delivery = DeliveryRecord(
            target: TargetID(try row.integer(1)), state: try row.choice(2),
            attempts: Int(try row.integer(3)), dueAt: Moment(try row.text(4)),
            lastError: try row.optionalText(5),
            finishedAt: try row.optionalText(6).map { Moment($0) })
        return (try row.uuid(0), delivery)
    }

    // MARK: - For metrics

    /// What waits for a target, and what was given up.
    public struct Backlog: Sendable {
        public let target: TargetID
        public let pending: Int64
        public let dead: Int64
        /// Since the oldest event happened that the target still has to get; 0 without one.
        public let oldestAgeSeconds: Double
    }

    /// The backlog of every target, of those that are switched off too.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func backlogs() throws -> [Backlog] {
        try pool.withConnection { connection in
            try connection.query(
                """
                SELECT t.id,
                    (SELECT COUNT(*) FROM delivery d FORCE INDEX (delivery_by_due)
                     WHERE d.target_id = t.id AND d.state = 'PENDING'),
                    (SELECT COUNT(*) FROM delivery d FORCE INDEX (delivery_by_due)
                     WHERE d.target_id = t.id AND d.state = 'DEAD'),
                    COALESCE(TIMESTAMPDIFF(MICROSECOND,
                        (SELECT o.created_at FROM delivery d JOIN outbox o ON o.id = d.event_id
                         WHERE d.id = (SELECT MIN(d.id)
                            FROM delivery d FORCE INDEX (delivery_by_due)
                            WHERE d.target_id = t.id AND d.state = 'PENDING')),
                        UTC_TIMESTAMP(6)), 0)
                FROM (SELECT \(TargetID.notification) AS id UNION ALL
                      SELECT id FROM webhook_endpoint) t
                """
            ) { row throws(DatabaseError) in
                Backlog(
                    target: TargetID(try row.integer(0)), pending: try row.integer(1),
                    dead: try row.integer(2),
                    oldestAgeSeconds: max(0, Double(try row.integer(3)) / 1_000_000))
            }
        }
    }
}
