import FastCGI
import HTTPTypes

/// An error as clients see it: RFC 9457 `application/problem+json`, with the customer's message.
///
/// Carries nothing of SQL, paths or causes; those go to the log.
struct Problem: Error {
    let status: HTTPResponse.Status
    /// A stable upper-case name that clients decide by.
    let code: String
    let title: String
    /// The customer's message to the letter, or a sentence of ours.
    let detail: String
    var members: [(name: String, value: JSON)] = []
    var headerFields: HTTPFields = [:]

    init(
        _ status: HTTPResponse.Status, _ code: String, _ title: String, _ detail: String,
        members: [(name: String, value: JSON)] = [], headerFields: HTTPFields = [:]
    ) {
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.members = members
        self.headerFields = headerFields
    }

    var response: Response {
        let standard: [(name: String, value: JSON)] = [
            ("type", .string(type)), ("title", .string(title)),
            ("status", .number(Int64(status.code))), ("detail", .string(detail)),
            ("code", .string(code)), ("message", .string(detail)),
        ]
        var headerFields = headerFields
        headerFields[.contentType] = "application/problem+json"
        headerFields[.cacheControl] = "no-store"
        return Response(
            status: status, headerFields: headerFields,
            body: JSON.object(standard + members).bytes)
    }

    /// A name, not an address: `urn:commerce:problem:out-of-stock`.
    private var type: String {
        "urn:commerce:problem:" + code.lowercased().split(separator: "_").joined(separator: "-")
    }
}

extension Problem {
    static let notFound = Problem(
        .notFound, "NOT_FOUND", "Not found", "There is nothing at this address.")

    static func methodNotAllowed(_ allowed: String) -> Problem {
        Problem(
            .methodNotAllowed, "METHOD_NOT_ALLOWED", "Method not allowed",
            "This address takes \(allowed).", headerFields: [.allow: allowed])
    }

    static func malformed(_ detail: String) -> Problem {
        Problem(.badRequest, "MALFORMED_REQUEST", "Malformed request", detail)
    }

    static let invalidProductID = Problem(
        .badRequest, "INVALID_PRODUCT_ID", "Invalid product id", "잘못된 상품 번호입니다.")

    static let unknownUser = Problem(
        .notFound, "USER_NOT_FOUND", "User not found", "존재하지 않는 유저입니다.")

    static let idempotencyKeyMissing = Problem(
        .badRequest, "IDEMPOTENCY_KEY_MISSING", "Idempotency key missing", "멱등성 키가 누락되었습니다.")

    static let requestInProgress = Problem(
        .conflict, "REQUEST_IN_PROGRESS", "Request in progress", "이미 처리중인 요청입니다.",
        headerFields: [.retryAfter: "1"])

    static let idempotencyKeyReused = Problem(
        .unprocessableContent, "IDEMPOTENCY_KEY_REUSED", "Idempotency key reused",
        "This idempotency key was used for another request.")

    /// The shop is well but cannot do this now: nothing has happened, or, with a key, nothing will
    /// happen twice.
    static let busy = Problem(
        .serviceUnavailable, "SERVICE_UNAVAILABLE", "Service unavailable",
        "The service cannot answer at the moment. The same request may be sent again.",
        headerFields: [.retryAfter: "1"])

    static let outcomeUnknown = Problem(
        .serviceUnavailable, "OUTCOME_UNKNOWN", "Outcome unknown",
        "The request may have been carried out. Sent again with the same Idempotency-Key it is "
            + "carried out once.",
        headerFields: [.retryAfter: "1"])

    static let internalError = Problem(
        .internalServerError, "INTERNAL_ERROR", "Internal error",
        "The service failed to answer this request.")
}
