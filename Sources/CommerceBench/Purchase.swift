import Commerce

/// One unit of one product for one user: what every buyer of a race wants.
struct Purchase: Sendable {
    let user: UserID
    let product: ProductID
}

/// How a purchase ended.
enum Sale {
    case sold(OrderID)
    /// Nothing is left.
    case soldOut
}

/// The rows that script/bench prepares: thousands of users with more points than they can spend,
/// and products of one price.
enum Ground {
    static let price = Won(1_000)
    static let users: Range<Int64> = 1_001..<11_001
    /// What everybody wants.
    static let hotProduct = ProductID(1_001)
    /// For warming up: one a buyer, so that no lock makes anybody wait.
    static let quietProducts: Range<Int64> = 1_002..<6_001

    /// Buyers take turns, so two orders of one user are never under way at one time.
    static func user(_ turn: Int) -> UserID {
        UserID(users.lowerBound + Int64(turn % users.count))
    }

    static func quietProduct(_ turn: Int) -> ProductID {
        ProductID(quietProducts.lowerBound + Int64(turn % quietProducts.count))
    }
}
