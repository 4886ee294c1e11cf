import Commerce
import FastCGI
import HTTPTypes
import Store

/// POST /api/v1/orders
func order(_ request: Request) throws -> CommandRequest {
    let body = try request.decode(
        OrderBody.self,
        expecting: "The body is [{\"user_id\": …, \"products\": [{\"id\": …, \"quantity\": …}], "
            + "\"paymentAmount\": …}] with whole numbers.")
    let user = UserID(body.user_id.value)
    let key = try request.idempotencyKey()
    let idempotency = key.map { key in
        Idempotency(
            key: Idempotency.Key(user: user, scope: .order, text: key),
            fingerprint: fingerprint(of: request.body))
    }
    let command = Command(
        .order(user: user, try body.cart(), payment: Won(body.paymentAmount.value)),
        idempotency: idempotency, traceID: request.traceID)
    return CommandRequest(command: command, refusing: Problem.init(refusedOrder:))
}

/// The customer's members; those that the shop does not need (`id`, the products' names) are
/// ignored, whatever they hold.
private struct OrderBody: Decodable {
    struct Line: Decodable {
        let id: WholeNumber
        let quantity: WholeNumber
    }

    // swift-format-ignore: AlwaysUseLowerCamelCase
    let user_id: WholeNumber
    let products: [Line]
    let paymentAmount: WholeNumber

    func cart() throws -> Cart {
        do throws(Malformed) {
            return try Cart(
                products.map { line in
                    Cart.Line(product: ProductID(line.id.value), quantity: line.quantity.value)
                })
        } catch {
            throw Problem.malformed(error.reason)
        }
    }
}

extension Problem {
    fileprivate init(refusedOrder refusal: Refusal) {
        self =
            switch refusal {
            case .unknownUser:
                Problem(.notFound, "USER_NOT_FOUND", "User not found", "해당 유저가 존재하지 않습니다.")
            case .unknownProduct:
                Problem(
                    .notFound, "PRODUCT_NOT_FOUND", "Product not found", "해당 상품이 존재하지 않습니다.")
            case .priceMismatch(let expected):
                Problem(
                    .badRequest, "PRICE_MISMATCH", "Price mismatch",
                    "결제 요청 가격과 상품 총합 가격이 일치하지 않습니다",
                    members: [("expected", .number(expected.amount))])
            case .outOfStock(let shortages):
                Problem(
                    .conflict, "OUT_OF_STOCK", "Out of stock", "품절된 상품이 존재합니다.",
                    members: [("items", .array(shortages.map(JSON.shortage)))])
            case .insufficientPoints:
                Problem(
                    .conflict, "INSUFFICIENT_POINTS", "Insufficient points", "결제 금액이 부족합니다.")
            case .chargeBelowMinimum, .chargeAboveMaximum, .unknownOrder, .orderNotCancelable:
                preconditionFailure("an order neither charges nor cancels")
            }
    }
}
