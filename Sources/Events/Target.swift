public import Commerce

/// Where events go: the shop's own notification, or somebody's webhook endpoint.
public protocol Target: Sendable {
    /// Delivers each event, or says why not.
    ///
    /// Blocks; every wait inside is bounded, well below the lease of a delivery. An event may come
    /// again, after any result: whoever receives it drops what it has seen by the event's id.
    ///
    /// - Returns: one result an event, in their order.
    func deliver(_ events: [Event]) -> [DeliveryResult]
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
