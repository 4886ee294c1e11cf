import Commerce
import FastCGI
import HTTPTypes
import Store

/// POST /api/v1/orders/{orderId}/cancel
///
/// Whose order it is never changes, so it is read before the command is made. There need be no body,
/// and nothing in one is needed.
func cancel(_ request: Request, _ order: PathNumber, _ shop: Shop) throws -> CommandRequest {
    if !request.body.isEmpty {
        try request.readBody(expecting: "There need be no body.") { _ in }
    }
    guard let key = try request.idempotencyKey() else { throw Problem.idempotencyKeyMissing }
    guard let id = order.positive.map(OrderID.init), let buyer = try shop.orders.buyer(of: id)
    else { throw Problem.unknownOrder }
    let idempotency = Idempotency(
        key: Idempotency.Key(user: buyer, scope: .cancel(id), text: key),
        fingerprint: fingerprint(of: request.body))
    return CommandRequest(
        command: Command(
            .cancel(user: buyer, id), idempotency: idempotency, traceID: request.traceID),
        refusing: Problem.init(refusedCancel:))
}

extension Problem {
    static let unknownOrder = Problem(
        .notFound, "ORDER_NOT_FOUND", "Order not found", "There is no such order.")

    fileprivate init(refusedCancel refusal: Refusal) {
        self =
            switch refusal {
            case .unknownOrder: .unknownOrder
            case .unknownUser: .unknownUser
            case .orderNotCancelable:
                Problem(
                    .conflict, "ORDER_NOT_CANCELABLE", "Order not cancelable",
                    "This order cannot be canceled.")
            case .chargeBelowMinimum, .chargeAboveMaximum, .unknownProduct, .priceMismatch,
                .outOfStock, .insufficientPoints:
                preconditionFailure("a cancel neither charges nor buys")
            }
    }
}
