public import Commerce
import MariaDB

/// What is to be written of a delivery that was claimed.
public struct Mark: Sendable {
    /// What becomes of the delivery.
    public enum Verdict: Sendable, Equatable {
        /// It has arrived.
        case delivered
        /// It is tried again after a pause.
        case again(afterMilliseconds: Int, cause: String)
        /// It is given up, until an operator replays it.
        case dead(cause: String)
        /// The target is switched off.
        case canceled(cause: String)
        /// It was not attempted: due at once, and the attempt does not count.
        case givenBack
    }

    public let delivery: Delivery
    public let verdict: Verdict

    public init(_ delivery: Delivery, _ verdict: Verdict) {
        self.delivery = delivery
        self.verdict = verdict
    }
}

extension Deliveries {
    /// As the schema has it.
    fileprivate static let causeCharactersMax = 255
    /// Deliveries of a target that is switched off, taken back in one transaction.
    private static let canceledMax = 1_000

    /// Writes what became of deliveries. One that somebody else has claimed since, because the lease
    /// ended, is left alone; so marking again is safe.
    ///
    /// - Returns: how many were left alone.
    /// - Throws: `DatabaseError` or `CommitOutcomeUnknown` when the database cannot answer.
    @discardableResult
    public func mark(_ marks: [Mark]) throws -> Int {
        if marks.isEmpty { return 0 }
        let marked = try withRetries { _ in
            try pool.withConnection { connection in
                try connection.transaction { try Self.write(marks, on: $0) }
            }
        }
        return marks.count - marked
    }

    /// - Returns: how many were the caller's.
    static func write(_ marks: [Mark], on connection: Connection) throws(DatabaseError) -> Int {
        // What has arrived is nearly all there is, at its first attempt: so it is few statements.
        let marks = marks.sorted { $0.delivery.id < $1.delivery.id }
        let arrived = Dictionary(
            grouping: marks.filter { $0.verdict == .delivered }, by: \.delivery.attempt)
        var marked = 0
        for (attempt, marks) in arrived.sorted(by: { $0.key < $1.key }) {
            marked += try markDelivered(marks.map(\.delivery.id), attempt: attempt, on: connection)
        }
        return try marked + markOthers(marks.filter { $0.verdict != .delivered }, on: connection)
    }

    private static func markDelivered(
        _ ids: [Int64], attempt: Int, on connection: Connection
    ) throws(DatabaseError) -> Int {
        try Batch.changing(ids.map(Value.integer)) { places, ids throws(DatabaseError) in
            try connection.execute(
                """
                UPDATE delivery FORCE INDEX (PRIMARY)
                SET state = 'DELIVERED', finished_at = UTC_TIMESTAMP(6), last_error = NULL
                WHERE id IN (\(places)) AND attempts = ? AND state = 'PENDING'
                """, ids + [.integer(Int64(attempt))])
        }
    }

    private static func markOthers(
        _ marks: [Mark], on connection: Connection
    ) throws(DatabaseError) -> Int {
        try connection.executeBulk(
            """
            UPDATE delivery SET state = ?, attempts = attempts - ?,
                due_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND,
                last_error = COALESCE(?, last_error),
                finished_at = IF(?, UTC_TIMESTAMP(6), NULL)
            WHERE id = ? AND attempts = ? AND state = 'PENDING'
            """, marks.map(\.values))
    }

    /// Switches a webhook endpoint off and cancels what it was to get. One that is off already keeps
    /// its reason.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func switchOff(_ target: TargetID, because cause: String) throws {
        _ = try WebhookEndpoints(pool: pool).disable(target.number, because: cause)
    }

    /// Cancels what is still to be delivered to endpoints that are switched off, a bounded number:
    /// whoever switched one off may have died before the end of it. Nothing is claimed for them
    /// meanwhile, and nothing is added.
    ///
    /// - Returns: how many were canceled; 0 when there are no more.
    /// - Throws: `DatabaseError` or `CommitOutcomeUnknown` when the database cannot answer.
    public func cancelForSwitchedOff() throws -> Int {
        try withRetries { _ in
            try pool.withConnection { connection in
                let targets = try connection.query(
                    """
                    SELECT e.id FROM webhook_endpoint e
                    WHERE e.disabled_at IS NOT NULL AND EXISTS
                        (SELECT 1 FROM delivery d FORCE INDEX (delivery_by_due)
                         WHERE d.target_id = e.id AND d.state = 'PENDING')
                    LIMIT 1
                    """
                ) { row throws(DatabaseError) in try row.integer(0) }
                guard let target = targets.first else { return 0 }
                return try connection.execute(
                    """
                    UPDATE delivery SET state = 'CANCELED', finished_at = UTC_TIMESTAMP(6)
                    WHERE target_id = ? AND state = 'PENDING' LIMIT \(Self.canceledMax)
                    """, [.integer(target)])
            }
        }
    }
}

extension Mark {
    /// state, attempts to take back, microseconds until due, cause, whether finished; id, attempt.
    fileprivate var values: [Value] {
        let (state, pause, cause): (DeliveryState, Int, String?) =
            switch verdict {
            case .delivered: (.delivered, 0, nil)
            case .again(let milliseconds, let cause): (.pending, milliseconds, cause)
            case .dead(let cause): (.dead, 0, cause)
            case .canceled(let cause): (.canceled, 0, cause)
            case .givenBack: (.pending, 0, nil)
            }
        return [
            .text(state.rawValue), .integer(verdict == .givenBack ? 1 : 0),
            .integer(Int64(pause) * 1_000),
            cause.map { .text($0.asOneLine(codePointsMax: Deliveries.causeCharactersMax)) }
                ?? .null,
            .integer(state == .pending ? 0 : 1),
            .integer(delivery.id), .integer(Int64(delivery.attempt)),
        ]
    }
}
