import FastCGI
import HTTPTypes

extension Request {
    /// Refuses a change that is to happen to a certain state only (RFC 9110, 13.1.1): nothing that
    /// takes a POST has an entity tag, so none can be the one that is asked for.
    func expectNoTag() throws(Problem) {
        if method == .post, firstField(.ifMatch) != nil { throw .preconditionFailed }
    }

    /// What becomes of the answer to a GET or HEAD under the request's preconditions, in the order of
    /// RFC 9110, 13.2.2. Those about a date are ignored, since no answer has a `Last-Modified`.
    func conditionally(_ response: Response) -> Response {
        guard method == .get || method == .head, response.status == .ok else { return response }
        let tag = response.headerFields[.eTag]
        if let condition = firstField(.ifMatch), !isMatched(condition, tag, weakly: false) {
            return Problem.preconditionFailed.response
        }
        if let condition = firstField(.ifNoneMatch), isMatched(condition, tag, weakly: true) {
            var response = response
            response.status = .notModified
            return response
        }
        return response
    }
}

/// Whether a list of entity tags, or `*`, has that of a representation that there is.
private func isMatched(_ condition: String, _ tag: String?, weakly: Bool) -> Bool {
    condition.split(separator: ",").contains { candidate in
        let candidate = candidate.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
        let text = String(candidate)
        if text == "*" { return true }
        guard let tag else { return false }
        return text == tag || weakly && text == "W/" + tag
    }
}

extension Problem {
    fileprivate static let preconditionFailed = Problem(
        .preconditionFailed, "PRECONDITION_FAILED", "Precondition failed",
        "A condition of the request does not hold.")
}
