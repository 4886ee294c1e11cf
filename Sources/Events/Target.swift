public import Commerce

/// Where events go: the shop's own notification, or somebody's webhook endpoint.
public protocol Target: Sendable {
    /// Delivers each event, or says why not.
    ///
    /// Blocks; every wait inside is bounded, well below the lease of a delivery. An event may come
    /// again, after any result: whoever receives it drops what it has seen by the event's id.
    ///
    /// - Returns: one result an event, in their order.
    /// - Throws: ``TargetUnavailable`` when it is not about these events: none counts as attempted.
    func deliver(_ events: [Event]) throws(TargetUnavailable) -> [DeliveryResult]

    /// How many events one call may bring: as many as it surely ends with within its bound.
    var eventsMax: Int { get }
}

extension Target {
    public var eventsMax: Int { 64 }
}

/// What stands between the worker and a target is away, such as a broker or a disk: the worker asks
/// again after a pause, for as long as it takes, and gives up no event meanwhile.
public struct TargetUnavailable: Error, Sendable, Equatable {
    /// One line for the operator, without a secret.
    public let cause: String

    public init(cause: String) { self.cause = cause }
}

/// What became of an attempt to deliver an event.
///
/// A cause is one line for the operator. It is stored and logged, so it holds no secret.
public enum DeliveryResult: Sendable, Equatable {
    /// The target has taken the event over.
    case delivered
    /// Not now. It is tried again: after the worker's own pause, or the target's if that is longer.
    case failed(cause: String, retryAfterSeconds: Int?)
    /// Never: the event is dead at once, until an operator replays it.
    case rejected(cause: String)
    /// The target wants no events any more and is to be switched off.
    case gone(cause: String)
}
