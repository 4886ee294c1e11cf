/// A wish to change points or stock, well formed but not yet judged.
public struct Command: Sendable {
    public enum Action: Sendable {
        case charge(user: UserID, ChargeAmount)
        /// `payment` is the sum that the buyer agreed to.
        case order(user: UserID, Cart, payment: Won)
        /// `user` is the one whose order it is.
        case cancel(user: UserID, OrderID)
    }

    public let action: Action
    /// Present where the client sent an idempotency key.
    public let idempotency: Idempotency?
    /// Of the request; its event bears it.
    public let traceID: TraceID?

    public init(
        _ action: Action, idempotency: Idempotency? = nil, traceID: TraceID? = nil
    ) {
        self.action = action
        self.idempotency = idempotency
        self.traceID = traceID
    }

    public var user: UserID {
        switch action {
        case .charge(let user, _): user
        case .order(let user, _, _): user
        case .cancel(let user, _): user
        }
    }

    public var cart: Cart? {
        switch action {
        case .charge, .cancel: nil
        case .order(_, let cart, _): cart
        }
    }

    /// The order that is to be canceled.
    public var canceledOrder: OrderID? {
        switch action {
        case .charge, .order: nil
        case .cancel(_, let order): order
        }
    }

    /// Rows of stock that the command touches at most.
    public var linesMax: Int {
        switch action {
        case .charge: 0
        case .order(_, let cart, _): cart.lines.count
        case .cancel: Cart.linesMax  // What it holds is read later.
        }
    }
}

/// The client's promise that all requests with this key are one and the same.
public struct Idempotency: Hashable, Sendable {
    /// A key belongs to a user and a route: the same text elsewhere is another key.
    public struct Key: Hashable, Sendable {
        public let user: UserID
        public let scope: Scope
        /// 1–255 visible ASCII characters.
        public let text: String

        public init(user: UserID, scope: Scope, text: String) {
            self.user = user
            self.scope = scope
            self.text = text
        }
    }

    /// Method and route, with the order that the route names.
    public enum Scope: Hashable, Sendable {
        case charge
        case order
        case cancel(OrderID)
    }

    public let key: Key
    /// SHA-256 of the request: the same key with another fingerprint is a client's mistake.
    public let fingerprint: [UInt8]

    public init(key: Key, fingerprint: [UInt8]) {
        self.key = key
        self.fingerprint = fingerprint
    }
}

/// What an accepted command yields.
public enum Receipt: Hashable, Sendable {
    /// The user as the charge left them.
    case charged(User)
    case ordered(OrderID)
    case canceled(OrderID)
}

/// The bytes that answered a command first, kept so that a repeated request gets the same.
public struct StoredAnswer: Hashable, Sendable {
    /// The HTTP status.
    public let status: Int
    public let body: [UInt8]

    public init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    /// An answer as a store has it; nil for a status that is none of success, for no other is kept.
    public init?(stored status: Int64, body: [UInt8]) {
        guard (200...299).contains(status) else { return nil }
        self.init(status: Int(status), body: body)
    }
}

/// How a command ended.
public enum Outcome: Hashable, Sendable {
    case accepted(Receipt)
    case refused(Refusal)
    /// The key's first request was accepted earlier: this is its answer. Nothing has changed.
    case replayed(StoredAnswer)
    /// The key's first request is being handled at this moment.
    case inProgress
    /// The key was used for another request.
    case keyReused
}
