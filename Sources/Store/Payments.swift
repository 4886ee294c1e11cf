public import Commerce
import MariaDB

/// A payment as the database has it.
public struct PaymentRecord: Sendable {
    public let payment: Payment
    public let madeAt: Moment
}

extension Orders {
    /// A user's payments, the latest number first.
    ///
    /// - Parameter before: the last payment that was shown; nil for the newest.
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func payments(
        of user: UserID, before: PaymentID?, countMax: Int
    ) throws -> [PaymentRecord] {
        try pool.withConnection { connection in
            try connection.query(
                """
                SELECT id, user_id, order_id, total_price, status, created_at
                FROM payment_history FORCE INDEX (payment_history_by_user)
                WHERE user_id = ? AND id < ? AND NOT is_delete ORDER BY id DESC LIMIT ?
                """,
                [
                    .integer(user.number), .integer(before?.number ?? .max),
                    .integer(Int64(countMax)),
                ]
            ) { row throws(DatabaseError) in
                let order = try row.optionalInteger(2).map { OrderID($0) }
                let purpose = Payment.Purpose(of: order, status: try row.text(4))
                return PaymentRecord(
                    payment: Payment(
                        id: PaymentID(try row.integer(0)), user: UserID(try row.integer(1)),
                        amount: Won(try row.integer(3)), purpose: purpose),
                    madeAt: Moment(try row.text(5)))
            }
        }
    }
}

extension Payment.Purpose {
    private static let refunded = "REFUNDED"

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
        case .refund: Self.refunded
        }
    }

    /// The order that is paid or given back.
    public var order: OrderID? {
        switch self {
        case .charge: nil
        case .order(let id), .refund(let id): id
        }
    }

    fileprivate init(of order: OrderID?, status: String) {
        self =
            switch order {
            case nil: .charge
            case let id? where status == Self.refunded: .refund(id)
            case let id?: .order(id)
            }
    }
}
