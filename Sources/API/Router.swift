import FastCGI
import HTTPTypes

/// What an address names.
enum Resource: Int, CaseIterable {
    case user, charge, userOrders, userPayments, product, products, popular, orders, order, cancel
    case live, ready, metrics, startPage, statusPage, status, nothing

    /// As logs and metrics show it.
    var pattern: String {
        switch self {
        case .user: "/api/v1/users/{userId}"
        case .charge: "/api/v1/users/{userId}/charge"
        case .userOrders: "/api/v1/users/{userId}/orders"
        case .userPayments: "/api/v1/users/{userId}/payments"
        case .product: "/products/{productId}"
        case .products: "/api/v1/products"
        case .popular: "/products/popular"
        case .orders: "/api/v1/orders"
        case .order: "/api/v1/orders/{orderId}"
        case .cancel: "/api/v1/orders/{orderId}/cancel"
        case .live: "/livez"
        case .ready: "/readyz"
        case .metrics: "/metrics"
        case .startPage: "/"
        case .statusPage: "/status"
        case .status: "/status.json"
        case .nothing: "(none)"
        }
    }

    /// The method that it takes; HEAD comes with GET.
    var method: HTTPRequest.Method {
        switch self {
        case .charge, .orders, .cancel: .post
        case .user, .userOrders, .userPayments, .product, .products, .popular, .order, .live,
            .ready, .metrics, .startPage, .statusPage, .status, .nothing:
            .get
        }
    }

    /// Whether the number in its address is a user's.
    var isOfUser: Bool {
        switch self {
        case .user, .charge, .userOrders, .userPayments: true
        case .product, .products, .popular, .orders, .order, .cancel, .live, .ready, .metrics,
            .startPage, .statusPage, .status, .nothing:
            false
        }
    }

    /// Whether operators and their tools ask for it, and not the shop's clients.
    var isProbe: Bool {
        switch self {
        case .live, .ready, .metrics, .startPage, .statusPage, .status: true
        case .user, .charge, .userOrders, .userPayments, .product, .products, .popular, .orders,
            .order, .cancel, .nothing:
            false
        }
    }

    func takes(_ method: HTTPRequest.Method) -> Bool {
        method == self.method || (method == .head && self.method == .get)
    }

    var allowed: String {
        method == .get ? "GET, HEAD" : method.rawValue
    }
}

/// The variable part of an address, as it was written.
struct PathNumber {
    let text: Substring

    /// Of addresses without one.
    static let none = PathNumber(text: "")

    /// The number, if it is one that can name anything: decimal digits, from 1 to 2⁶³−1.
    var positive: Int64? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int64(text)
        else { return nil }
        return number > 0 ? number : nil
    }
}

/// Finds what an address names. The customer wrote the product paths without `/api/v1`: those
/// answer on both. An encoded letter or digit is the same as itself; whatever else is encoded, such as
/// a slash, stays as it is written.
func route(_ path: Substring) -> (Resource, PathNumber) {
    let path = path.utf8.contains(UInt8(ascii: "%")) ? path.withoutNeedlessEncoding : path
    let prefix = "/api/v1"
    let inAPI = path.hasPrefix(prefix + "/")
    let rest = inAPI ? path.dropFirst(prefix.count) : path
    switch rest {
    case "/products/popular": return (.popular, .none)
    case "/orders" where inAPI: return (.orders, .none)
    case "/products" where inAPI: return (.products, .none)
    case "/livez" where !inAPI: return (.live, .none)
    case "/readyz" where !inAPI: return (.ready, .none)
    case "/metrics" where !inAPI: return (.metrics, .none)
    case "/" where !inAPI: return (.startPage, .none)
    case "/status" where !inAPI: return (.statusPage, .none)
    case "/status.json" where !inAPI: return (.status, .none)
    default: break
    }
    if let number = rest.number(after: "/products/") { return (.product, number) }
    guard inAPI else { return (.nothing, .none) }
    for (prefix, suffix, resource) in numbered {
        if let number = rest.number(after: prefix, before: suffix) { return (resource, number) }
    }
    return (.nothing, .none)
}

/// What has a number in its address, under `/api/v1`.
private let numbered: [(prefix: String, suffix: String, Resource)] = [
    ("/users/", "", .user), ("/users/", "/charge", .charge), ("/users/", "/orders", .userOrders),
    ("/users/", "/payments", .userPayments), ("/orders/", "", .order),
    ("/orders/", "/cancel", .cancel),
]

extension Substring {
    /// Unreserved characters are never encoded here (RFC 3986, 6.2.2.2).
    fileprivate var withoutNeedlessEncoding: Substring {
        var bytes: [UInt8] = []
        var rest = utf8
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let meant = rest.encodedByte, meant.isUnreserved {
                bytes.append(meant)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return Substring(decoding: bytes, as: UTF8.self)
    }

    /// The one part of a path between what stands before and after it.
    fileprivate func number(after prefix: String, before suffix: String = "") -> PathNumber? {
        guard hasPrefix(prefix), hasSuffix(suffix), utf8.count > prefix.count + suffix.count
        else { return nil }
        let part = dropFirst(prefix.count).dropLast(suffix.count)
        return part.utf8.contains(UInt8(ascii: "/")) ? nil : PathNumber(text: part)
    }
}
