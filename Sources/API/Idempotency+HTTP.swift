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

/// A request to change something: a command, and how its refusals are told.
struct CommandRequest: Sendable {
    let command: Command
    let refusing: @Sendable (Refusal) -> Problem
}

extension Shop {
    /// The answer to a request whose key is in use.
    ///
    /// - Returns: nil when the command is to be carried out; ``conclude(_:_:counting:)`` must follow.
    func earlierAnswer(
        to request: CommandRequest, counting measurements: CommandMeasurements
    ) throws(Problem) -> Response? {
        guard let idempotency = request.command.idempotency else { return nil }
        switch requests.begin(idempotency) {
        case .first: return nil
        case .replayed(let answer):
            measurements.count(request.command, .replayed)
            return .stored(answer, isReplayed: true)
        case .inProgress:
            measurements.count(request.command, .inProgress)
            throw .requestInProgress
        case .keyReused:
            measurements.count(request.command, .keyReused)
            throw .idempotencyKeyReused
        }
    }

    /// The answer to a request whose command has been carried out, or not.
    func conclude(
        _ request: CommandRequest, _ result: Ledger.Result,
        counting measurements: CommandMeasurements
    ) throws -> Response {
        measurements.count(request.command, CommandMeasurements.End(result))
        let idempotency = request.command.idempotency
        var answer: StoredAnswer?
        // Only successes are kept: what is refused or fails leaves its key free.
        defer { if let idempotency { requests.end(idempotency, answer) } }
        switch try result.get() {
        case .accepted(let receipt):
            let receipt = Renderer.customer.receipt(receipt)
            answer = receipt
            return .stored(receipt, isReplayed: false)
        case .replayed(let stored):
            answer = stored
            return .stored(stored, isReplayed: true)
        case .refused(let refusal): throw request.refusing(refusal)
        case .inProgress: throw Problem.requestInProgress
        case .keyReused: throw Problem.idempotencyKeyReused
        }
    }
}

extension CommandMeasurements.End {
    fileprivate init(_ result: Ledger.Result) {
        self =
            switch result {
            case .success(.accepted): .accepted
            case .success(.refused): .refused
            case .success(.replayed): .replayed
            case .success(.inProgress): .inProgress
            case .success(.keyReused): .keyReused
            case .failure: .failed
            }
    }
}

extension Response {
    fileprivate static func stored(_ answer: StoredAnswer, isReplayed: Bool) -> Response {
        var response = Response.json(answer.body, cacheControl: "no-store")
        response.status = answer.status == 200 ? .ok : HTTPResponse.Status(code: answer.status)
        if isReplayed {
            response.headerFields.append(HTTPField(name: .idempotentReplayed, value: "true"))
        }
        return response
    }
}
