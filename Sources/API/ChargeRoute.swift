import Commerce
import FastCGI
import HTTPTypes
import Store
import StrictJSON

/// POST /api/v1/users/{userId}/charge
func charge(_ request: Request, _ user: PathNumber) throws -> CommandRequest {
    let amount = try request.chargeAmount()
    guard let key = try request.idempotencyKey() else { throw Problem.idempotencyKeyMissing }
    guard let id = user.positive.map(UserID.init) else { throw Problem.unknownUser }
    let idempotency = Idempotency(
        key: Idempotency.Key(user: id, scope: .charge, text: key),
        fingerprint: fingerprint(of: request.body))
    return CommandRequest(
        command: Command(
            .charge(user: id, amount), idempotency: idempotency, traceID: request.traceID),
        refusing: Problem.init(refusedCharge:))
}

extension Request {
    fileprivate func chargeAmount() throws -> ChargeAmount {
        let amount = try readBody(
            expecting: "The body is [{\"chargeAmount\": <whole number>}]."
        ) { body throws(JSONMismatch) in
            try body.member("chargeAmount").wholeNumber()
        }
        do throws(Refusal) {
            return try ChargeAmount(Won(amount.nearest))
        } catch {
            throw Problem(refusedCharge: error)
        }
    }
}

extension Problem {
    fileprivate init(refusedCharge refusal: Refusal) {
        self =
            switch refusal {
            case .unknownUser: .unknownUser
            case .chargeBelowMinimum:
                Problem(
                    .badRequest, "CHARGE_BELOW_MINIMUM", "Charge below the minimum",
                    "최소 충전 금액은 1,000원 입니다.")
            case .chargeAboveMaximum:
                Problem(
                    .badRequest, "CHARGE_ABOVE_MAXIMUM", "Charge above the maximum",
                    "최대 충전 금액은 1,000,000원 입니다.")
            case .unknownProduct, .priceMismatch, .outOfStock, .insufficientPoints,
                .unknownOrder, .orderNotCancelable:
                preconditionFailure("a charge neither buys nor cancels")
            }
    }
}
