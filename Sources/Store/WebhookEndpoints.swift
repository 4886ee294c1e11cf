public import Commerce
public import MariaDB

/// Where events are sent to as webhooks, with all that it takes.
public struct WebhookEndpoint: Sendable, Identifiable {
    public let id: Int64
    public let url: String
    /// Those that sign: the present one, and for some time after a rotation the previous one.
    public let secrets: [WebhookSecret]
}

/// The systems that have asked for events.
public struct WebhookEndpoints: Sendable {
    /// Endpoints that are on at once: each costs the worker a thread and a delivery row an event.
    public static let enabledMax = 100
    /// Deliveries canceled in one statement, so that no worker waits long for a row.
    private static let canceledAtOnceMax = 1_000
    /// Characters of a reason.
    private static let reasonMax = 255

    let pool: Pool

    public init(pool: Pool) { self.pool = pool }

    /// An endpoint as it is listed: without its secrets.
    public struct Entry: Sendable, Identifiable {
        public let id: Int64
        public let url: String
        public let createdAt: Moment
        /// Until when the secret before the present one signs too.
        public let previousSecretUntil: Moment?
        /// Since when it is off, and why.
        public let disabled: (at: Moment, reason: String)?
        public let pending: Int64
        public let dead: Int64
    }

    /// There are ``enabledMax`` endpoints already.
    public struct TooMany: Error, CustomStringConvertible {
        public var description: String { "there are \(enabledMax) endpoints already" }
    }

    /// An endpoint that is on has this URL already.
    public struct Registered: Error, CustomStringConvertible {
        public let id: Int64

        public var description: String { "endpoint \(id) has this URL already, and is on" }
    }

    /// Adds an endpoint, which gets every event from now on.
    ///
    /// - Parameters:
    ///   - url: 2,048 ASCII characters at most.
    ///   - normalized: gives URLs that lead to the same place the same form.
    ///   - tell: is told the number before the endpoint is there. When it throws, nothing is added:
    ///     nobody would know the secret.
    /// - Returns: its number.
    /// - Throws: ``TooMany``, ``Registered``, and what `tell` throws; `DatabaseError` or
    ///   `CommitOutcomeUnknown` when the database cannot answer.
    @discardableResult
    public func add(
        _ url: String, secret: WebhookSecret,
        normalized: (String) -> String = { $0 }, telling tell: (Int64) throws -> Void = { _ in }
    ) throws -> Int64 {
        try pool.withConnection { connection in
            try connection.transaction { connection in
                try ShopState.lock(on: connection)  // Two who add the same URL come one by one.
                let ids = try Self.enabledIDs(lockedOn: connection)
                guard ids.count < Self.enabledMax else { throw TooMany() }
                let present = try connection.query(
                    "SELECT id, url FROM webhook_endpoint WHERE disabled_at IS NULL ORDER BY id"
                ) { row throws(DatabaseError) in (id: try row.integer(0), url: try row.text(1)) }
                let wanted = normalized(url)
                if let same = present.first(where: { normalized($0.url) == wanted }) {
                    throw Registered(id: same.id)
                }
                let id = try connection.query(
                    "INSERT INTO webhook_endpoint (url, secret) VALUES (?, ?) RETURNING id",
                    [.text(url), .bytes(secret.bytes)]
                ) { row throws(DatabaseError) in try row.integer(0) }[0]
                try tell(id)
                return id
            }
        }
    }

    /// All endpoints ever, by number.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func all() throws -> [Entry] {
        try pool.withConnection { connection in
            try connection.query(
                """
                SELECT id, url, created_at,
                    IF(previous_secret_until > UTC_TIMESTAMP(6), previous_secret_until, NULL),
                    disabled_at, disabled_reason,
                    (SELECT COUNT(*) FROM delivery FORCE INDEX (delivery_by_due)
                     WHERE target_id = webhook_endpoint.id AND state = 'PENDING'),
                    (SELECT COUNT(*) FROM delivery FORCE INDEX (delivery_by_due)
                     WHERE target_id = webhook_endpoint.id AND state = 'DEAD')
                FROM webhook_endpoint ORDER BY id
                """, [], Entry.init(reading:))
        }
    }

    /// The endpoints that are on, with their secrets, by number.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func enabled() throws -> [WebhookEndpoint] {
        try pool.withConnection { connection in
            try connection.query(
                "\(Self.selectEnabled) ORDER BY id", [], WebhookEndpoint.init(reading:))
        }
    }

    /// An endpoint with its secrets.
    ///
    /// - Returns: nil when there is no such endpoint, or it is off.
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func enabled(_ id: Int64) throws -> WebhookEndpoint? {
        try pool.withConnection { connection in
            try connection.query(
                "\(Self.selectEnabled) AND id = ?", [.integer(id)], WebhookEndpoint.init(reading:))
        }.first
    }

    /// Whether anything may be sent to them: the data are the shop's, and no copy.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func areLive() throws -> Bool {
        try pool.withConnection { try ShopState.read(on: $0).isLive }
    }

    private static let selectEnabled = """
        SELECT id, url, secret, IF(previous_secret_until > UTC_TIMESTAMP(6), previous_secret, NULL)
        FROM webhook_endpoint WHERE disabled_at IS NULL
        """

    /// The numbers of the endpoints that are on, which stay on until the transaction has ended:
    /// whoever makes deliveries in it knows that ``disable(_:because:)`` will see them all.
    static func enabledIDs(lockedOn connection: Connection) throws(DatabaseError) -> [Int64] {
        try connection.query(
            "SELECT id FROM webhook_endpoint WHERE disabled_at IS NULL ORDER BY id "
                + "LOCK IN SHARE MODE"
        ) { row throws(DatabaseError) in try row.integer(0) }
    }

    /// Switches an endpoint off and cancels what it was to get. Again is safe, and cancels what an
    /// interrupted call has left.
    ///
    /// - Returns: how many deliveries were canceled; nil when there is no such endpoint.
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func disable(_ id: Int64, because reason: String) throws -> Int? {
        try withRetries { _ in
            try pool.withConnection { connection in try Self.disable(id, reason, on: connection) }
        }
    }

    private static func disable(
        _ id: Int64, _ reason: String, on connection: Connection
    ) throws(DatabaseError) -> Int? {
        try connection.execute(
            """
            UPDATE webhook_endpoint
            SET disabled_at = UTC_TIMESTAMP(6), disabled_reason = ?
            WHERE id = ? AND disabled_at IS NULL
            """, [.text(reason.asOneLine(codePointsMax: reasonMax)), .integer(id)])
        let found = try connection.query(
            "SELECT COUNT(*) FROM webhook_endpoint WHERE id = ?", [.integer(id)]
        ) { row throws(DatabaseError) in try row.integer(0) }
        return found == [1] ? try cancelDeliveries(to: id, on: connection) : nil
    }

    private static func cancelDeliveries(
        to id: Int64, on connection: Connection
    ) throws(DatabaseError) -> Int {
        var canceled = 0
        while true {
            let count = try connection.execute(
                """
                UPDATE delivery SET state = 'CANCELED', finished_at = UTC_TIMESTAMP(6)
                WHERE target_id = ? AND state = 'PENDING' ORDER BY due_at LIMIT ?
                """, [.integer(id), .integer(Int64(canceledAtOnceMax))])
            canceled += count
            if count < canceledAtOnceMax { return canceled }
        }
    }

    /// Gives an endpoint that is on a new secret; the present one signs too for some time. One
    /// before that signs no more.
    ///
    /// - Parameter tell: is called before the secret is the endpoint's. When it throws, nothing
    ///   changes: nobody would know the secret.
    /// - Returns: false when there is no such endpoint, or it is off.
    /// - Throws: what `tell` throws; `DatabaseError` or `CommitOutcomeUnknown` when the database
    ///   cannot answer.
    public func rotate(
        _ id: Int64, to secret: WebhookSecret, overlapSeconds: Int,
        telling tell: () throws -> Void = {}
    ) throws -> Bool {
        try pool.withConnection { connection in
            try connection.transaction { connection in
                // From left to right: previous_secret takes the secret that is replaced after it.
                let count = try connection.execute(
                    """
                    UPDATE webhook_endpoint
                    SET previous_secret = secret,
                        previous_secret_until = UTC_TIMESTAMP(6) + INTERVAL ? SECOND,
                        secret = ?
                    WHERE id = ? AND disabled_at IS NULL
                    """, [.integer(Int64(overlapSeconds)), .bytes(secret.bytes), .integer(id)])
                if count == 1 { try tell() }
                return count == 1
            }
        }
    }
}

extension WebhookEndpoint {
    /// Columns as in ``WebhookEndpoints/selectEnabled``.
    fileprivate init(reading row: borrowing Row) throws(DatabaseError) {
        id = try row.integer(0)
        url = try row.text(1)
        let secret = WebhookSecret(try row.bytes(2))
        secrets = [secret] + (try row.optionalBytes(3).map { [WebhookSecret($0)] } ?? [])
    }
}

extension WebhookEndpoints.Entry {
    /// Columns as in ``WebhookEndpoints/all()``.
    fileprivate init(reading row: borrowing Row) throws(DatabaseError) {
        id = try row.integer(0)
        url = try row.text(1)
        createdAt = Moment(try row.text(2))
        previousSecretUntil = try row.optionalText(3).map(Moment.init)
        let disabledAt = try row.optionalText(4).map(Moment.init)
        let reason = try row.optionalText(5)
        disabled = disabledAt.map { (at: $0, reason: reason ?? "") }
        pending = try row.integer(6)
        dead = try row.integer(7)
    }
}
