import Commerce
import FastCGI
import HTTPTypes
import Store

/// GET /products/{productId}
///
/// Clients ask again every time (`no-cache`), since the stock they see must be no older than the
/// last order; where nothing has changed they get 304.
func product(_ product: PathNumber, _ shop: Shop) throws -> PendingResponse {
    guard let id = product.positive.map(ProductID.init) else { throw Problem.invalidProductID }
    return { then in
        shop.catalogue.page(id) { found in
            then(
                Result {
                    guard let page = try found.get() else { throw Problem.invalidProductID }
                    return response(showing: page)
                })
        }
    }
}

private func response(showing page: Catalogue.Page) -> Response {
    var response = Response.json(page.body, cacheControl: "no-cache")
    response.headerFields[.eTag] = "\"\(page.version.stock)-\(page.version.product)\""
    return response
}

/// GET /api/v1/products: by number, or with `q` those whose names begin with it, by name.
func products(_ request: Request, _ shop: Shop) throws -> Response {
    let prefix = try request.parameter("q").map(namePrefix)
    let list = prefix == nil ? "products" : "products/name"
    let page = try PageRequest(request, of: list)
    let place = page.after.map { Catalogue.Place(after: ProductID($0.id), named: $0.name) }
    let found =
        if let prefix {
            try shop.catalogue.products(named: prefix, after: place, countMax: page.countMax)
        } else {
            try shop.catalogue.products(after: place, countMax: page.countMax)
        }
    return .page(
        found, of: page, at: "/api/v1/products",
        parameters: prefix.map { [("q", $0.text)] } ?? [], JSON.product
    ) { last in
        Cursor(list: list, id: last.id.number, name: prefix == nil ? "" : last.name)
    }
}

private func namePrefix(_ text: String) throws(Problem) -> NamePrefix {
    guard let prefix = NamePrefix(text) else {
        throw .malformed("q needs a character that a name can be found by.")
    }
    guard prefix.text.unicodeScalars.count <= prefixLengthMax else {
        throw .malformed("q is 1 to \(prefixLengthMax) characters.")
    }
    return prefix
}

/// Of `q`: with it and a cursor the next address still fits nginx's buffer for a response's head.
private let prefixLengthMax = 100

/// GET /products/popular
func popular(_ shop: Shop) throws -> Response {
    .json(try shop.bestSellers.page(), cacheControl: "max-age=1")
}
