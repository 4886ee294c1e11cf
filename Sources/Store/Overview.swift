public import Commerce
public import MariaDB
import Synchronization

/// What only the database knows of how the shop is doing, for the people who watch it.
///
/// However many watch, it is asked once a second, by one of their threads.
public struct Overview: Sendable {
    /// What was found.
    public struct Look: Sendable {
        /// Nil while MariaDB does not answer.
        public let figures: Figures?
        /// Whether memcached answers; nil where the shop runs without one.
        public let cacheAnswers: Bool?
    }

    public struct Figures: Sendable {
        /// Those of which most units were sold in the last three days, at most ten.
        public let hottest: [HotProduct]
        public let outbox: OutboxFigures
    }

    /// A product that sells.
    public struct HotProduct: Sendable {
        public let id: ProductID
        public let name: String
        public let stock: Int64
        /// In the last three days, as the best sellers count them.
        public let unitsSold: Int64
    }

    /// How far the events have come, of all targets together.
    public struct OutboxFigures: Sendable {
        /// Events without deliveries yet.
        public let undispatched: Int64
        /// Deliveries on their way, and those that were given up.
        public let pending: Int64
        public let dead: Int64
        /// Since the oldest event happened that somebody still has to get; 0 without one.
        public let oldestAgeSeconds: Double
    }

    private enum Subject: Hashable { case shop }

    private static let hottestMax: Int64 = 10

    private let group: ReadGroup<Subject, Look>

    /// - Parameter pool: one connection of it will do.
    public init(pool: Pool, cache: Cache) {
        let latest = Latest()
        group = ReadGroup { _ in
            [.shop: try latest.look { try Self.look(pool, cache) }]
        }
    }

    /// Looks, unless somebody has within the last second, and tells it on some reader's thread.
    ///
    /// Fails with `DatabaseError` when the database answers, and not with what was asked for.
    public func look(then: @escaping @Sendable (Result<Look, any Error>) -> Void) {
        group.read(.shop) { found in
            then(
                found.map { look in
                    guard let look else { preconditionFailure("there is always a look") }
                    return look
                })
        }
    }

    private static func look(_ pool: Pool, _ cache: Cache) throws -> Look {
        let cacheAnswers = cache.isAvailable
        do {
            return Look(figures: try figures(pool), cacheAnswers: cacheAnswers)
        } catch let error as DatabaseError where !error.kind.isDefect {
            return Look(figures: nil, cacheAnswers: cacheAnswers)
        }
    }

    private static func figures(_ pool: Pool) throws -> Figures {
        let events = try Outbox(pool: pool).backlog()
        let deliveries = try Deliveries(pool: pool).backlogs()
        return Figures(
            hottest: try pool.withConnection { try hottest(on: $0) },
            outbox: OutboxFigures(
                undispatched: events.count,
                pending: deliveries.reduce(0) { $0 + $1.pending },
                dead: deliveries.reduce(0) { $0 + $1.dead },
                oldestAgeSeconds: deliveries.map(\.oldestAgeSeconds)
                    .reduce(events.oldestAgeSeconds, max)))
    }

    private static func hottest(on connection: Connection) throws(DatabaseError) -> [HotProduct] {
        try connection.query(
            """
            SELECT p.id, p.name, s.quantity, w.quantity
            FROM sale_window w FORCE INDEX (sale_window_best)
            STRAIGHT_JOIN product p ON p.id = w.product_id
            STRAIGHT_JOIN stock s ON s.product_id = w.product_id
            WHERE w.quantity > 0 AND NOT p.is_delete
            ORDER BY w.quantity DESC, w.product_id LIMIT ?
            """, [.integer(hottestMax)]
        ) { row throws(DatabaseError) in
            HotProduct(
                id: ProductID(try row.integer(0)), name: try row.text(1),
                stock: try row.integer(2), unitsSold: try row.integer(3))
        }
    }
}

/// The last look, for as long as it is worth showing.
private final class Latest: Sendable {
    private static let freshness = Duration.seconds(1)

    private let last = Mutex<(look: Overview.Look, time: ContinuousClock.Instant)?>(nil)

    /// The last look, or a new one. Asked by one thread at a time.
    func look(again: () throws -> Overview.Look) rethrows -> Overview.Look {
        if let last = last.withLock({ $0 }), last.time.duration(to: .now) < Self.freshness {
            return last.look
        }
        let look = try again()
        last.withLock { $0 = (look, .now) }
        return look
    }
}
