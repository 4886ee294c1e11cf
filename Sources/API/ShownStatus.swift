import Commerce
import FastCGI
import HTTPTypes
import StatusPage
import Store

/// The status page, and the figures that it asks for beside those of `/metrics`.
struct ShownStatus: Sendable {
    let page: Response
    private let overview: Overview

    init(_ overview: Overview) {
        let page = StatusPage()
        self.page = Response(
            status: .ok,
            headerFields: [
                .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
                .contentSecurityPolicy: page.securityPolicy, .xContentTypeOptions: "nosniff",
                .referrerPolicy: "no-referrer",
            ],
            body: page.html)
        self.overview = overview
    }

    /// What only the database knows. Where MariaDB does not answer, that is what is told.
    func figures(then: @escaping @Sendable (Result<Response, any Error>) -> Void) {
        overview.look { look in
            then(look.map { .json(JSON.status($0).bytes, cacheControl: "no-store") })
        }
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
