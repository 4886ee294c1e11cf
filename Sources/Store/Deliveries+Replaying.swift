public import Commerce
public import FoundationEssentials
import MariaDB

extension Deliveries {
    /// Which deliveries an operator means.
    public enum Selection: Sendable {
        /// All deliveries of these events.
        case events([UUID])
        /// Those that were given up.
        case dead
        /// All deliveries of events that happened from one moment on and before another.
        case span(from: Moment, to: Moment)
    }

    /// Rows or events of one transaction: an operator's wish must not hold the workers up.
    private static let sliceMax = 500

    /// Makes deliveries due now, as if they had never been attempted. Endpoints that are switched
    /// off get nothing.
    ///
    /// In slices: after an error some are replayed, and replaying again is safe.
    ///
    /// - Parameter target: only deliveries for this one.
    /// - Returns: how many.
    /// - Throws: `DatabaseError` or `CommitOutcomeUnknown` when the database cannot answer.
    public func replay(_ selection: Selection, target: TargetID? = nil) throws -> Int {
        switch selection {
        case .events(let ids):
            return try Self.slices(of: ids).reduce(0) {
                try $0 + makeDue(.ofEvents($1), target)
            }
        case .dead:
            let dead = Condition.dead(before: try now())
            return try untilNoneIsLeft { try makeDue(dead, target) }
        case .span(let from, let to):
            var (count, last) = (0, Position(dispatchedAt: from, event: nil))
            while let next = try happened(from, to, after: last) {
                count += try makeDue(.ofEvents(next.events), target)
                last = next.last
            }
            return count
        }
    }

    /// Gives up for good what is dead: it is canceled, and purged in its time.
    ///
    /// - Parameters:
    ///   - events: only deliveries of these events; nil for all.
    ///   - target: only deliveries for this one.
    /// - Returns: how many.
    /// - Throws: `DatabaseError` or `CommitOutcomeUnknown` when the database cannot answer.
    public func discardDead(of events: [UUID]? = nil, target: TargetID? = nil) throws -> Int {
        let dead = Condition.dead(before: try now())
        guard let events else { return try untilNoneIsLeft { try discard(dead, target) } }
        return try Self.slices(of: events).reduce(0) { count, slice in
            let dead = Condition.ofEvents(slice) && dead
            return try count + untilNoneIsLeft { try discard(dead, target) }
        }
    }

    // MARK: - Slices

    /// A condition of `WHERE` on deliveries.
    private struct Condition {
        var sql: String
        var values: [Value]

        /// - Parameter ids: of a slice.
        static func ofEvents(_ ids: [UUID]) -> Condition {
            let (places, values) = Batch.list(ids.map(Value.uuid))
            return Condition(sql: "event_id IN (\(places))", values: values)
        }

        /// - Parameter ids: of a few: there are only so many endpoints.
        static func ofTargets(_ ids: [TargetID]) -> Condition {
            let (places, values) = Batch.list(ids.map { .integer($0.number) })
            return Condition(sql: "target_id IN (\(places))", values: values)
        }

        /// Not what dies meanwhile: that would never end.
        static func dead(before moment: Moment) -> Condition {
            Condition(
                sql: "state = 'DEAD' AND finished_at <= ?", values: [.text(moment.text)])
        }

        static func && (left: Condition, right: Condition) -> Condition {
            Condition(sql: "\(left.sql) AND \(right.sql)", values: left.values + right.values)
        }
    }

    private static func slices(of ids: [UUID]) -> [[UUID]] {
        stride(from: 0, to: ids.count, by: sliceMax).map {
            Array(ids[$0..<min($0 + sliceMax, ids.count)])
        }
    }

    private func untilNoneIsLeft(_ change: () throws -> Int) rethrows -> Int {
        var count = 0
        while case let changed = try change(), changed > 0 { count += changed }
        return count
    }

    private func now() throws -> Moment {
        try pool.withConnection { connection in
            try connection.query("SELECT UTC_TIMESTAMP(6)") { row throws(DatabaseError) in
                Moment(try row.text(0))
            }
        }[0]
    }

    /// Changes what meets a condition: all deliveries of a slice of events, or a slice of the dead.
    private func makeDue(_ condition: Condition, _ target: TargetID?) throws -> Int {
        try withRetries { _ in
            try pool.withConnection { connection in
                try connection.transaction { connection in
                    let targets = try Self.lockTargets(on: connection).filter {
                        target == nil || $0 == target
                    }
                    if targets.isEmpty { return 0 }
                    let condition = condition && .ofTargets(targets)
                    return try connection.execute(
                        """
                        UPDATE delivery SET state = 'PENDING', attempts = 0,
                            due_at = UTC_TIMESTAMP(6), finished_at = NULL, last_error = NULL
                        WHERE \(condition.sql) LIMIT \(Self.sliceMax * targets.count)
                        """, condition.values)
                }
            }
        }
    }

    private func discard(_ condition: Condition, _ target: TargetID?) throws -> Int {
        let condition = target.map { condition && .ofTargets([$0]) } ?? condition
        return try withRetries { _ in
            try pool.withConnection { connection in
                try connection.execute(
                    """
                    UPDATE delivery SET state = 'CANCELED', finished_at = UTC_TIMESTAMP(6)
                    WHERE \(condition.sql) LIMIT \(Self.sliceMax)
                    """, condition.values)
            }
        }
    }

    // MARK: - Spans

    /// A place in the order of dispatch, which an index has.
    private struct Position {
        var dispatchedAt: Moment
        /// Nil: before all that was dispatched then.
        var event: UUID?
    }

    /// The next slice of a span's events; nil after the last. An event is dispatched after it has
    /// happened.
    private func happened(
        _ from: Moment, _ to: Moment, after last: Position
    ) throws -> (events: [UUID], last: Position)? {
        let rows = try pool.withConnection { connection in
            try connection.query(
                """
                SELECT id, dispatched_at FROM outbox FORCE INDEX (outbox_by_dispatch)
                WHERE dispatched_at >= ? AND NOT (dispatched_at = ? AND id <= COALESCE(?, ''))
                    AND created_at >= ? AND created_at < ?
                ORDER BY dispatched_at, id LIMIT \(Self.sliceMax)
                """,
                [
                    .text(last.dispatchedAt.text), .text(last.dispatchedAt.text),
                    last.event.map(Value.uuid) ?? .null, .text(from.text), .text(to.text),
                ]
            ) { row throws(DatabaseError) in
                Position(dispatchedAt: Moment(try row.text(1)), event: try row.uuid(0))
            }
        }
        return rows.last.map { (rows.compactMap(\.event), $0) }
    }
}
