public import Commerce
public import FoundationEssentials
import Glibc
public import MariaDB

/// Reads of events that were written.
public struct Outbox: Sendable {
    let pool: Pool

    public init(pool: Pool) { self.pool = pool }

    /// Events by their ids, in the order of the ids that are there; the others are left out.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func events(_ ids: [UUID]) throws -> [Event] {
        if ids.isEmpty { return [] }
        let found = try pool.withConnection { connection in
            try Self.read(ids, on: connection)
        }
        return ids.compactMap { found[$0] }
    }

    /// Events that have no deliveries yet.
    public struct Backlog: Sendable, Equatable {
        public let count: Int64
        /// How long the oldest has waited; 0 when there is none.
        public let oldestAgeSeconds: Double
    }

    /// - Throws: `DatabaseError` when the database cannot answer.
    public func backlog() throws -> Backlog {
        try pool.withConnection { connection in
            try connection.query(
                """
                SELECT COUNT(*),
                    COALESCE(TIMESTAMPDIFF(MICROSECOND, MIN(created_at), UTC_TIMESTAMP(6)), 0)
                FROM outbox FORCE INDEX (outbox_by_dispatch) WHERE dispatched_at IS NULL
                """
            ) { row throws(DatabaseError) in
                Backlog(
                    count: try row.integer(0),
                    oldestAgeSeconds: max(0, Double(try row.integer(1)) / 1_000_000))
            }
        }[0]
    }

    private static let columns =
        "id, aggregate, aggregate_id, type, version, payload, created_at, trace_id"

    /// The oldest events that have no deliveries yet and that nobody else is dispatching; none in a
    /// copy of the shop.
    static func lockUndispatched(
        countMax: Int, on connection: Connection
    ) throws(DatabaseError) -> [Event] {
        try connection.query(
            """
            SELECT \(columns) FROM outbox FORCE INDEX (outbox_by_dispatch)
            WHERE dispatched_at IS NULL AND \(ShopState.shopIsLive)
            ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED
            """, [.integer(Int64(countMax))], Event.init(reading:))
    }

    static func read(
        _ ids: [UUID], on connection: Connection
    ) throws(DatabaseError) -> [UUID: Event] {
        let found = try Batch.asking(about: ids.map(Value.uuid)) {
            places, ids throws(DatabaseError) in
            try connection.query(
                "SELECT \(columns) FROM outbox WHERE id IN (\(places))", ids,
                Event.init(reading:))
        }
        return Dictionary(found.map { ($0.id, $0) }) { first, _ in first }
    }
}

extension Event {
    /// Columns: id, aggregate, aggregate_id, type, version, payload, created_at, trace_id.
    fileprivate init(reading row: borrowing Row) throws(DatabaseError) {
        self.init(
            id: try row.uuid(0), aggregate: try row.choice(1), aggregateID: try row.integer(2),
            type: EventType(rawValue: try row.text(3)), version: Int(try row.integer(4)),
            payload: try row.bytes(5), createdAt: Moment(try row.text(6)),
            traceID: try row.optionalText(7).flatMap { TraceID($0) })
    }
}

extension Writes {
    /// Adds the events of the accepted commands, at the time of the batch.
    func writeEvents(on connection: Connection, at now: Moment) throws(DatabaseError) {
        let rows = zip(events, UUID.ascending(events.count)).map { event, id in
            [
                .uuid(id), .text(event.aggregate.rawValue), .integer(event.aggregateID),
                .text(event.type.rawValue), .integer(Int64(event.version)),
                .bytes(event.payload), event.traceID.map { .text($0.description) } ?? .null,
                .text(now.text),
            ] as [Value]
        }
        _ = try connection.executeBulk(
            """
            INSERT INTO outbox
                (id, aggregate, aggregate_id, type, version, payload, trace_id, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """, rows)
    }
}

extension UUID {
    /// New ids of version 7 (RFC 9562) that ascend, and lie after those of earlier milliseconds, so
    /// that new rows go to the end of their table.
    ///
    /// The 12 bits behind the milliseconds count, as the RFC allows; 62 bits are random.
    static func ascending(_ count: Int) -> [UUID] {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let milliseconds = UInt64(now.tv_sec) * 1_000 + UInt64(now.tv_nsec) / 1_000_000
        return (0..<UInt64(count)).map { number in
            let time = milliseconds + number >> 12
            let high = time << 16 | 0x7000 | number & 0xFFF
            let low = 0b10 << 62 | UInt64.random(in: 0..<(1 << 62))
            return UUID(high, low)
        }
    }

    private init(_ high: UInt64, _ low: UInt64) {
        self = withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { bytes in
            UUID(uuid: bytes.load(as: uuid_t.self))
        }
    }
}
