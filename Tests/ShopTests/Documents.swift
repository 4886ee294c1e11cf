import FoundationEssentials
import Testing

/// The customer's documents, and the bodies that ask for them.

/// An order's body: the products as (id, quantity).
func order(_ user: Int, _ products: [(Int, Int)], paying amount: Int) -> String {
    let lines = products.map { #"{"id": \#($0.0), "quantity": \#($0.1)}"# }
    return """
        [{"user_id": \(user), "products": [\(lines.joined(separator: ", "))], \
        "paymentAmount": \(amount)}]
        """
}

func charge(_ amount: Int) -> String { #"[{"chargeAmount": \#(amount)}]"# }

func balance(_ user: Int, _ name: String, _ phone: String, _ amount: String) -> String {
    #"[{"userId": \#(user), "name": "\#(name)", "hpNo": "\#(phone)", "amount": "\#(amount)"}]"#
}

/// The documentation's user with an amount.
func balance(of25 amount: String) -> String { balance(25, "김테스트", "010-1234-4112", amount) }

struct ProductDocument: Decodable {
    let id: Int
    let price: Int
    let stock: Int
}

struct SellerDocument: Decodable, Equatable {
    let id: Int
    // swift-format-ignore: AlwaysUseLowerCamelCase
    let sale_count: Int
}

struct ProblemDocument: Decodable {
    struct Item: Decodable, Equatable {
        let id: Int
        let requested: Int
        let available: Int
    }

    let type: String
    let title: String
    let status: Int
    let detail: String
    let code: String
    let message: String
    let items: [Item]?
    let expected: Int?
}

extension Answer {
    func decoded<Document: Decodable>(_ type: Document.Type) throws -> Document {
        do {
            return try JSONDecoder().decode(type, from: Data(body))
        } catch {
            throw Failure("\(status) is no \(type): \(text)")
        }
    }

    /// The number of the order that it confirms; nil when it refuses.
    var orderID: Int? {
        let opening = #"[{"orderId": ""#
        guard status == 200, text.hasPrefix(opening), text.hasSuffix(#""}]"#) else { return nil }
        return Int(text.dropFirst(opening.utf8.count).dropLast(3))
    }

    /// A problem's code; nil where there is none.
    var code: String? { try? decoded(ProblemDocument.self).code }

    var isReplayed: Bool { self["Idempotent-Replayed"] == "true" }
}

/// What no client may see.
private let secrets = [
    "SELECT", "INSERT", "UPDATE ", "SQL", "/tmp", "/home", "/work", "/run", ".swift", "0x",
    "secret", "Error(",
]

/// Expects a problem of the contract's form.
///
/// - Parameter message: the customer's; nil where the contract leaves it open.
@discardableResult
func expectProblem(
    _ answer: Answer, _ status: Int, _ code: String, _ message: String? = nil,
    _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
) throws -> ProblemDocument {
    #expect(answer.status == status, comment, sourceLocation: sourceLocation)
    #expect(
        answer["Content-Type"] == "application/problem+json", comment,
        sourceLocation: sourceLocation)
    #expect(answer["Cache-Control"] == "no-store", comment, sourceLocation: sourceLocation)
    for secret in secrets {
        #expect(!answer.text.contains(secret), comment, sourceLocation: sourceLocation)
    }
    let problem = try answer.decoded(ProblemDocument.self)
    let name = code.lowercased().split(separator: "_").joined(separator: "-")
    #expect(problem.code == code, comment, sourceLocation: sourceLocation)
    #expect(
        problem.type == "urn:commerce:problem:\(name)", comment, sourceLocation: sourceLocation)
    #expect(problem.status == status, comment, sourceLocation: sourceLocation)
    #expect(problem.message == problem.detail, comment, sourceLocation: sourceLocation)
    #expect(!problem.detail.isEmpty, comment, sourceLocation: sourceLocation)
    #expect(
        !problem.title.isEmpty && problem.title.utf8.allSatisfy { $0 < 0x80 }, comment,
        sourceLocation: sourceLocation)
    if let message {
        #expect(problem.message == message, comment, sourceLocation: sourceLocation)
    }
    return problem
}
