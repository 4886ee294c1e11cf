public import Commerce
public import FoundationEssentials
public import MariaDB

/// What buyers have been told, and what telling them takes.
public struct Notifications: Sendable {
    private let pool: Pool

    public init(pool: Pool) {
        self.pool = pool
    }

    /// Whom to tell, and what the things are called.
    public struct Names: Sendable {
        /// The phone number of each user who is there, as the user wrote it.
        public var phones: [UserID: String] = [:]
        /// The present name of each product, of one that is not sold any more too.
        public var products: [ProductID: String] = [:]
    }

    /// Which of these events somebody has been told of.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func sent(among events: [UUID]) throws -> Set<UUID> {
        guard !events.isEmpty else { return [] }
        let found = try pool.withConnection { connection in
            try Batch.asking(about: events.map { Value.text($0.uuidString) }) {
                places, events throws(DatabaseError) in
                try connection.query(
                    "SELECT event_id FROM notification WHERE event_id IN (\(places))", events
                ) { row throws(DatabaseError) in UUID(uuidString: try row.text(0)) }
            }
        }
        return Set(found.compactMap(\.self))
    }

    /// Those of these events that the shop has written and still has, by their ids.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func events(_ ids: Set<UUID>) throws -> [UUID: Event] {
        guard !ids.isEmpty else { return [:] }
        return try pool.withConnection { connection in
            try Outbox.read(ids.sorted(), on: connection)
        }
    }

    /// Notes that these events' messages have gone out. An event that is noted already stays as it
    /// is.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func record(_ events: [UUID]) throws {
        guard !events.isEmpty else { return }
        // In one order, so that two that note the same events do not lock each other out.
        let rows = events.map(\.uuidString).sorted().map { [Value.text($0)] }
        try withRetries { _ in
            try pool.withConnection { connection in
                try connection.transaction { connection in
                    _ = try connection.executeBulk(
                        """
                        INSERT IGNORE INTO notification (event_id, sent_at)
                        VALUES (?, UTC_TIMESTAMP(6))
                        """, rows)
                }
            }
        }
    }

    /// Looks users and products up, all of each together.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func names(users: Set<UserID>, products: Set<ProductID>) throws -> Names {
        try pool.withConnection { connection in
            var names = Names()
            if !users.isEmpty {
                for user in try Users.read(users.sorted(), on: connection) {
                    names.phones[user.id] = user.phone
                }
            }
            if !products.isEmpty {
                names.products = try Catalogue.names(of: products.sorted(), on: connection)
            }
            return names
        }
    }
}
