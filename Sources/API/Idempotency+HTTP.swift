import Commerce
import FastCGI
import HTTPTypes
import Store

extension HTTPField.Name {
    fileprivate static let idempotencyKey = Self("Idempotency-Key")!
    fileprivate static let idempotentReplayed = Self("Idempotent-Replayed")!
}

extension Request {
    private static let keyLengths = 1...255

    /// - Returns: nil when the client sent none, or an empty one.
    func idempotencyKey() throws(Problem) -> String? {
        guard let key = firstField(.idempotencyKey), !key.isEmpty else { return nil }
        let isVisible = key.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        guard isVisible, Self.keyLengths.contains(key.utf8.count) else {
            throw .malformed("An Idempotency-Key is 1 to 255 visible ASCII characters.")
        }
        return key
    }
}

extension Shop {
    /// Carries out a command once, however often its key is sent.
    func carryOut(_ command: Command, refusing: (Refusal) -> Problem) throws -> Response {
        guard let idempotency = command.idempotency else {
            return try answer(try ledger.submit(command), refusing).response
        }
        switch requests.begin(idempotency) {
        case .first: break
        case .replayed(let answer): return Answer(stored: answer, isReplayed: true).response
        case .inProgress: throw Problem.requestInProgress
        case .keyReused: throw Problem.idempotencyKeyReused
        }
        do {
            let answer = try answer(try ledger.submit(command), refusing)
            requests.end(idempotency, answer.stored)
            return answer.response
        } catch {
            requests.end(idempotency, nil)  // Only successes are stored: the key is free again.
            throw error
        }
    }

    private func answer(_ outcome: Outcome, _ refusing: (Refusal) -> Problem) throws -> Answer {
        switch outcome {
        case .accepted(let receipt):
            Answer(stored: Renderer.customer.receipt(receipt), isReplayed: false)
        case .replayed(let answer): Answer(stored: answer, isReplayed: true)
        case .refused(let refusal): throw refusing(refusal)
        case .inProgress: throw Problem.requestInProgress
        case .keyReused: throw Problem.idempotencyKeyReused
        }
    }
}

private struct Answer {
    let stored: StoredAnswer
    let isReplayed: Bool

    var response: Response {
        var response = Response.json(stored.body, cacheControl: "no-store")
        response.status = HTTPResponse.Status(integerLiteral: stored.status)
        if isReplayed {
            response.headerFields.append(HTTPField(name: .idempotentReplayed, value: "true"))
        }
        return response
    }
}
