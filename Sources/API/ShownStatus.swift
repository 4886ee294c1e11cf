import Commerce
import FastCGI
import HTTPTypes
import StatusPage
import Store

/// The pages for operators, and the figures that the status page asks for.
struct ShownStatus: Sendable {
    static let page = response(.status)
    static let startPage = response(.start)

    private let overview: Overview
    private let history: Probes.History

    init(_ overview: Overview, _ history: @escaping Probes.History) {
        self.overview = overview
        self.history = history
    }

    private static func response(_ page: OperatorPage) -> Response {
        Response(
            status: .ok,
            headerFields: [
                .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
                .contentSecurityPolicy: page.securityPolicy, .referrerPolicy: "no-referrer",
            ],
            body: page.html)
    }

    /// What only the database knows; where MariaDB does not answer, that is what is told. With `after`,
    /// a time of `process`, also what the process has counted since then.
    func figures(
        of request: Request, then: @escaping @Sendable (Result<Response, any Error>) -> Void
    ) {
        let (history, after, process): (Probes.History, Int64?, Int64?)
        do {
            after = try request.milliseconds("after")
            process = try request.milliseconds("process")
            history = self.history
        } catch {
            return then(.failure(error))
        }
        overview.look { look in
            then(
                look.map { look in
                    var bytes = JSON.status(look).bytes
                    if let after {
                        bytes.removeLast()  // The closing brace.
                        bytes += Array(", \"history\": \(history(after, process))}".utf8)
                    }
                    return .json(bytes, cacheControl: "no-store")
                })
        }
    }
}

extension Request {
    /// A time in milliseconds since 1970; nil when there is none.
    fileprivate func milliseconds(_ name: String) throws(Problem) -> Int64? {
        guard let text = try parameter(name) else { return nil }
        guard let number = Int64(text), number >= 0 else {
            throw .malformed("\(name) is a time in milliseconds.")
        }
        return number
    }
}

extension HTTPField.Name {
    fileprivate static let referrerPolicy = Self("Referrer-Policy")!
}

extension JSON {
    fileprivate static func status(_ look: Overview.Look) -> JSON {
        let figures = look.figures
        return .object([
            ("database", .boolean(figures != nil)),
            ("cache", look.cacheAnswers.map(JSON.boolean) ?? .null),
            ("products", figures.map { .array($0.hottest.map(JSON.hotProduct)) } ?? .null),
            ("outbox", figures.map { .outbox($0.outbox) } ?? .null),
        ])
    }

    fileprivate static func hotProduct(_ product: Overview.HotProduct) -> JSON {
        .object([
            ("id", .number(product.id.number)), ("name", .string(product.name)),
            ("stock", .number(product.stock)), ("sold", .number(product.unitsSold)),
        ])
    }

    fileprivate static func outbox(_ outbox: Overview.OutboxFigures) -> JSON {
        .object([
            ("undispatched", .number(outbox.undispatched)), ("pending", .number(outbox.pending)),
            ("dead", .number(outbox.dead)),
            ("oldestAgeSeconds", .number(Int64(outbox.oldestAgeSeconds))),
        ])
    }
}
