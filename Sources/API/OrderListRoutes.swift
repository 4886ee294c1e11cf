import Commerce
import FastCGI
import HTTPTypes
import Store

/// GET /api/v1/orders/{orderId}
func placedOrder(_ order: PathNumber, _ shop: Shop) throws -> Response {
    guard let id = order.positive, let page = try shop.orders.order(OrderID(id)) else {
        throw Problem.unknownOrder
    }
    return .json(JSON.array([.order(page)]).bytes, cacheControl: "no-store")
}

/// GET /api/v1/users/{userId}/orders
func orders(_ request: Request, of user: PathNumber, _ shop: Shop) throws -> Response {
    let list = "orders/\(user.positive ?? 0)"
    let page = try PageRequest(request, of: list)
    let id = try known(user, shop)
    let found = try shop.orders.orders(
        of: id, before: page.after.map { OrderID($0.id) }, countMax: page.countMax)
    return .page(
        found.pages, isCut: found.isCut, of: page, at: "/api/v1/users/\(id)/orders", JSON.order
    ) { last in Cursor(list: list, id: last.placed.order.id.number) }
}

/// GET /api/v1/users/{userId}/payments
func payments(_ request: Request, of user: PathNumber, _ shop: Shop) throws -> Response {
    let list = "payments/\(user.positive ?? 0)"
    let page = try PageRequest(request, of: list)
    let id = try known(user, shop)
    let found = try shop.orders.payments(
        of: id, before: page.after.map { PaymentID($0.id) }, countMax: page.countMax)
    return .page(found, of: page, at: "/api/v1/users/\(id)/payments", JSON.payment) { last in
        Cursor(list: list, id: last.payment.id.number)
    }
}

/// A user who is there, so that nobody's list is not taken for an empty one.
private func known(_ user: PathNumber, _ shop: Shop) throws -> UserID {
    guard let id = user.positive.map(UserID.init), try shop.users.contains(id) else {
        throw Problem.unknownUser
    }
    return id
}

extension JSON {
    fileprivate static func order(_ page: Orders.Page) -> JSON {
        let placed = page.placed
        let lines = placed.order.lines.map { line in
            JSON.object([
                ("id", .number(line.product.number)),
                ("name", .string(page.names[line.product] ?? "")),
                ("quantity", .number(line.quantity)), ("price", .number(line.price.amount)),
            ])
        }
        return .object([
            ("orderId", .string("\(placed.order.id)")),
            ("userId", .number(placed.order.user.number)),
            ("status", .string(placed.status.rawValue)),
            ("totalPrice", .number(placed.order.total.amount)), ("products", .array(lines)),
            ("createdAt", .string(placed.placedAt.timestamp)),
        ])
    }

    /// A charge has no order, and no member for one.
    fileprivate static func payment(_ record: PaymentRecord) -> JSON {
        let payment = record.payment
        let order = payment.purpose.order.map { id in ("orderId", JSON.string("\(id)")) }
        return .object(
            [
                ("paymentId", .string("\(payment.id)")),
                ("userId", .number(payment.user.number)),
            ] + (order.map { [$0] } ?? []) + [
                ("payMethod", .string(payment.purpose.method)),
                ("status", .string(payment.purpose.status)),
                ("totalPrice", .number(payment.amount.amount)),
                ("createdAt", .string(record.madeAt.timestamp)),
            ])
    }
}

extension Moment {
    /// As RFC 3339 has it, in whole seconds: `2026-01-31T23:59:59Z`.
    fileprivate var timestamp: String {
        "\(text.prefix(10))T\(text.dropFirst(11).prefix(8))Z"
    }
}
