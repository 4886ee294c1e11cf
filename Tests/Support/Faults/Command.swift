import FoundationEssentials
import ShopParts

/// A change that a client asks for, under the key that makes it one.
struct Command: Sendable, Hashable {
    /// What makes two requests the same, as the shop sees it.
    struct Key: Sendable, Hashable, CustomStringConvertible {
        let scope: Scope
        let user: Int
        /// Unlike those of all other commands of a run, even where it is not sent.
        let name: String
        /// The order that a cancel's route names; otherwise 0.
        let order: Int

        var description: String { "\(scope.rawValue) of user \(user), key \(name)" }
    }

    enum Scope: String, Sendable {
        case order = "ORDER"
        case charge = "CHARGE"
        case cancel = "CANCEL"
    }

    let key: Key
    /// Whether the key is sent. An order can do without.
    let hasKey: Bool
    let path: String
    let body: String
    let lines: [Errand.Line]
    /// Won that are paid, charged, or given back.
    let amount: Int

    static func order(
        _ name: String, user: Int, lines: [Errand.Line], payment: Int, hasKey: Bool
    ) -> Command {
        let products = lines.map { #"{"id": \#($0.product), "quantity": \#($0.quantity)}"# }
        return Command(
            key: Key(scope: .order, user: user, name: name, order: 0), hasKey: hasKey,
            path: "/api/v1/orders",
            body: """
                [{"user_id": \(user), "products": [\(products.joined(separator: ", "))], \
                "paymentAmount": \(payment)}]
                """, lines: lines, amount: payment)
    }

    static func charge(_ name: String, user: Int, amount: Int) -> Command {
        Command(
            key: Key(scope: .charge, user: user, name: name, order: 0), hasKey: true,
            path: "/api/v1/users/\(user)/charge", body: #"[{"chargeAmount": \#(amount)}]"#,
            lines: [], amount: amount)
    }

    static func cancel(_ name: String, of order: Int, by command: Command) -> Command {
        Command(
            key: Key(scope: .cancel, user: command.key.user, name: name, order: order),
            hasKey: true, path: "/api/v1/orders/\(order)/cancel", body: "", lines: command.lines,
            amount: command.amount)
    }

    /// Another request under the same key; nil where the key's route leaves nothing to change.
    var variant: Command? {
        switch key.scope {
        case .order:
            let lines = [Errand.Line(product: 104, quantity: 1)]
            return .order(
                key.name, user: key.user, lines: lines, payment: Errands.prices[104, default: 0],
                hasKey: true)
        case .charge:
            return .charge(key.name, user: key.user, amount: amount == 2_000 ? 3_000 : 2_000)
        case .cancel: return nil
        }
    }
}

/// What a client learnt from one attempt.
enum Outcome: Sendable, Equatable {
    /// A 2xx, with its body.
    case accepted([UInt8], isReplayed: Bool)
    /// A refusal by the rules, with its code.
    case refused(String)
    /// The shop says that it has done nothing, or nothing was sent.
    case notDone
    /// The same key is being handled.
    case inProgress
    /// The key belongs to another request.
    case keyReused
    /// Perhaps it happened.
    case unknown(String)
    /// An answer that no client should ever get.
    case wrong(String)

    /// Whether it says for good what became of the command.
    var isDefinite: Bool {
        switch self {
        case .accepted, .refused, .keyReused: true
        case .notDone, .inProgress, .unknown, .wrong: false
        }
    }

    /// Whether the attempt may have had an effect that its client does not know of.
    var isUncertain: Bool {
        switch self {
        case .unknown, .wrong: true
        case .accepted, .refused, .notDone, .inProgress, .keyReused: false
        }
    }

    init(_ answer: Answer) {
        let code = answer.code ?? "no code: \(answer.text.prefix(80))"
        self =
            switch (answer.status, code) {
            case (200, _): .accepted(answer.body, isReplayed: answer.isReplayed)
            case (409, "REQUEST_IN_PROGRESS"): .inProgress
            case (422, "IDEMPOTENCY_KEY_REUSED"): .keyReused
            case (400, _), (404, _), (409, _): .refused(code)
            case (429, _), (503, "SERVICE_UNAVAILABLE"): .notDone
            case (502, _), (503, "OUTCOME_UNKNOWN"), (504, _):
                .unknown("\(answer.status) \(code)")
            default: .wrong("\(answer.status) \(code)")
            }
    }
}

extension Answer {
    fileprivate var isReplayed: Bool { self["Idempotent-Replayed"] == "true" }

    /// A problem's code; nil where there is none.
    var code: String? {
        struct Problem: Decodable { let code: String }
        guard status >= 400 else { return nil }
        return try? JSONDecoder().decode(Problem.self, from: Data(body)).code
    }
}

/// The number in `[{"orderId": "1"}]`.
func orderNumber(in body: [UInt8]) -> Int? {
    struct Document: Decodable { let orderId: String }
    let documents = try? JSONDecoder().decode([Document].self, from: Data(body))
    return documents.flatMap { $0.count == 1 ? Int($0[0].orderId) : nil }
}
