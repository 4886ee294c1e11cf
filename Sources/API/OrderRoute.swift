import Commerce
import FastCGI
import HTTPTypes
import Store
import StrictJSON

/// POST /api/v1/orders
func order(_ request: Request) throws -> CommandRequest {
    let body = try request.readBody(
        expecting: "The body is [{\"user_id\": …, \"products\": [{\"id\": …, \"quantity\": …}], "
            + "\"paymentAmount\": …}] with whole numbers.", OrderBody.init)
    let key = try request.idempotencyKey()
    let idempotency = key.map { key in
        Idempotency(
            key: Idempotency.Key(user: body.user, scope: .order, text: key),
            fingerprint: fingerprint(of: request.body))
    }
    let command = Command(
        .order(user: body.user, try body.cart(), payment: body.payment),
        idempotency: idempotency, traceID: request.traceID)
    return CommandRequest(command: command, refusing: Problem.init(refusedOrder:))
}

/// The customer's members; those that the shop does not need (`id`, the products' names) are
/// ignored, whatever they hold.
private struct OrderBody {
    let user: UserID
    let payment: Won
    private let lines: [Cart.Line]

    init(_ body: JSONValue) throws(JSONMismatch) {
        user = UserID(try body.member("user_id").number)
        var lines: [Cart.Line] = []
        for line in try body.member("products").elements() {
            lines.append(
                Cart.Line(
                    product: ProductID(try line.member("id").number),
                    quantity: try line.member("quantity").wholeNumber().nearest))
        }
        self.lines = lines
        payment = Won(try body.member("paymentAmount").wholeNumber().nearest)
    }

    func cart() throws(Problem) -> Cart {
        do throws(Malformed) {
            return try Cart(lines)
        } catch {
            throw .malformed(error.reason)
        }
    }
}

extension JSONValue {
    /// The number of a user or a product; that of none, 0, for a number that none can have.
    fileprivate var number: Int64 {
        get throws(JSONMismatch) { try wholeNumber().exact ?? 0 }
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
