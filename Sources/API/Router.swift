import FastCGI
import HTTPTypes

/// What an address names. The raw value is the pattern that logs and metrics show.
enum Resource: String, CaseIterable {
    case user = "/api/v1/users/{userId}"
    case charge = "/api/v1/users/{userId}/charge"
    case product = "/products/{productId}"
    case popular = "/products/popular"
    case orders = "/api/v1/orders"
    case live = "/livez"
    case ready = "/readyz"
    case metrics = "/metrics"
    case nothing = "(none)"

    /// The method that it takes; HEAD comes with GET.
    var method: HTTPRequest.Method {
        switch self {
        case .charge, .orders: .post
        case .user, .product, .popular, .live, .ready, .metrics, .nothing: .get
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

    /// The number, if it is one that can name anything: decimal digits, from 1 to 2⁶³−1.
    var positive: Int64? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int64(text)
        else { return nil }
        return number > 0 ? number : nil
    }
}

/// Finds what an address names. The customer wrote the product paths without `/api/v1`: those
/// answer on both.
func route(_ path: Substring) -> (Resource, PathNumber) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    let none = PathNumber(text: "")
    guard parts.first == "" else { return (.nothing, none) }
    let inAPI = parts.dropFirst().starts(with: ["api", "v1"])
    switch (inAPI, Array(parts.dropFirst(inAPI ? 3 : 1))) {
    case (_, ["products", "popular"]): return (.popular, none)
    case (_, let parts) where parts.count == 2 && parts[0] == "products":
        return (.product, PathNumber(text: parts[1]))
    case (true, ["orders"]): return (.orders, none)
    case (true, let parts) where parts.count == 2 && parts[0] == "users":
        return (.user, PathNumber(text: parts[1]))
    case (true, let parts) where parts.count == 3 && parts[0] == "users" && parts[2] == "charge":
        return (.charge, PathNumber(text: parts[1]))
    case (false, ["livez"]): return (.live, none)
    case (false, ["readyz"]): return (.ready, none)
    case (false, ["metrics"]): return (.metrics, none)
    default: return (.nothing, none)
    }
}
