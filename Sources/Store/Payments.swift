public import Commerce

extension Payment.Purpose {
    /// As `payment_history.pay_method` has it.
    public var method: String {
        switch self {
        case .charge: "CHARGE"
        case .order, .refund: "POINT"
        }
    }

    /// As `payment_history.status` has it.
    public var status: String {
        switch self {
        case .charge, .order: "COMPLETED"
        case .refund: "REFUNDED"
        }
    }

    /// The order that is paid or given back.
    public var order: OrderID? {
        switch self {
        case .charge: nil
        case .order(let id), .refund(let id): id
        }
    }
}
