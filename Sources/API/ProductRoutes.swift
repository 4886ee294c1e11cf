import Commerce
import FastCGI
import HTTPTypes
import Store

/// GET /products/{productId}
///
/// Clients ask again every time (`no-cache`), since the stock they see must be no older than the
/// last order; where nothing has changed they get 304.
func product(_ request: Request, _ product: PathNumber, _ shop: Shop) throws -> Response {
    guard let id = product.positive, let page = try shop.catalogue.page(ProductID(id)) else {
        throw Problem.invalidProductID
    }
    let tag = "\"\(page.version.stock)-\(page.version.product)\""
    var response = Response.json(page.body, cacheControl: "no-cache")
    response.headerFields[.eTag] = tag
    if let condition = request.firstField(.ifNoneMatch), matches(condition, tag) {
        response.status = .notModified
    }
    return response
}

/// The weak comparison of RFC 9110, 13.1.2.
private func matches(_ condition: String, _ tag: String) -> Bool {
    condition.split(separator: ",").contains { candidate in
        let candidate = candidate.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
        let text = String(candidate)
        return text == "*" || text == tag || text == "W/" + tag
    }
}

/// GET /products/popular
func popular(_ shop: Shop) throws -> Response {
    .json(try shop.bestSellers.page(), cacheControl: "max-age=1")
}
