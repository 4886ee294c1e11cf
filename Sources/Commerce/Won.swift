/// An amount of money or of points, in whole won: a point is worth one won.
///
/// Sums never overflow within the bounds that the schema checks: a price is at most 10⁹ won, an
/// order at most 100 lines of 10⁶ units (together 10¹⁷), a balance at most ``maximumBalance``.
public struct Won: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let amount: Int64

    public init(_ amount: Int64) {
        self.amount = amount
    }

    public static let zero = Won(0)

    /// The most points that one user may hold: 10¹⁵, as the schema's CHECK has it.
    public static let maximumBalance = Won(1_000_000_000_000_000)

    public var description: String { String(amount) }

    /// With thousands separators: `150,000`.
    public var grouped: String {
        let digits = Array(String(amount.magnitude))
        var grouped = amount < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { grouped.append(",") }
            grouped.append(digit)
        }
        return grouped
    }

    public static func < (left: Won, right: Won) -> Bool { left.amount < right.amount }
    public static func + (left: Won, right: Won) -> Won { Won(left.amount + right.amount) }
    public static func - (left: Won, right: Won) -> Won { Won(left.amount - right.amount) }
    public static func * (price: Won, quantity: Int64) -> Won { Won(price.amount * quantity) }
}
