/// An event of an accepted command. It gets its id and its time as it is written.
public struct EventDraft: Hashable, Sendable {
    public let aggregate: Event.Aggregate
    public let aggregateID: Int64
    public let type: EventType
    /// Of the payload's form. Members may be added to a form; anything else is a new version.
    public let version: Int
    /// A JSON object.
    public let payload: [UInt8]
    public let traceID: TraceID?

    static func paid(_ order: Order, traceID: TraceID?) -> EventDraft {
        EventDraft(.orderPaid, of: order, traceID: traceID)
    }

    static func cancelled(_ order: Order, traceID: TraceID?) -> EventDraft {
        EventDraft(.orderCancelled, of: order, traceID: traceID)
    }

    /// - Parameter user: as the charge left them.
    static func charged(
        _ user: User, by amount: Won, payment: PaymentID, traceID: TraceID?
    ) -> EventDraft {
        EventDraft(
            aggregate: .user, aggregateID: user.id.number, type: .pointsCharged, version: 1,
            payload: Array(
                """
                {"paymentId":"\(payment)","userId":\(user.id),"amount":\(amount),\
                "balance":\(user.points)}
                """.utf8), traceID: traceID)
    }
}

extension EventDraft {
    private init(_ type: EventType, of order: Order, traceID: TraceID?) {
        let items = order.lines.map { line in
            """
            {"productId":\(line.product),"quantity":\(line.quantity),"price":\(line.price)}
            """
        }.joined(separator: ",")
        self.init(
            aggregate: .order, aggregateID: order.id.number, type: type, version: 1,
            payload: Array(
                """
                {"orderId":"\(order.id)","userId":\(order.user),"items":[\(items)],\
                "totalPrice":\(order.total)}
                """.utf8), traceID: traceID)
    }
}
