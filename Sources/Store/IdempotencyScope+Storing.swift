import Commerce

extension Idempotency.Scope {
    /// As `idempotency_key.scope` has it.
    var name: String {
        switch self {
        case .charge: "CHARGE"
        case .order: "ORDER"
        case .cancel: "CANCEL"
        }
    }

    /// As `idempotency_key.order_id` has it: the order that the route names, or 0.
    var orderNumber: Int64 {
        switch self {
        case .charge, .order: 0
        case .cancel(let order): order.number
        }
    }

    /// Both, without a blank.
    var path: String { "\(name)/\(orderNumber)" }
}
