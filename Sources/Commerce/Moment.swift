/// A point in time in UTC, as SQL spells it: `2026-01-31 23:59:59.123456`.
///
/// The rules have no clock: a moment comes from the database and is only ever passed on.
public struct Moment: Hashable, Comparable, Sendable {
    public let text: String

    public init(_ text: String) {
        self.text = text
    }

    /// The beginning of its hour.
    public var hour: Moment { Moment("\(text.prefix(13)):00:00") }

    /// As RFC 3339 spells it, to the microsecond: `2026-01-31T23:59:59.123456Z`.
    public var rfc3339: String { "\(text.prefix(10))T\(text.dropFirst(11))Z" }

    public static func < (left: Moment, right: Moment) -> Bool { left.text < right.text }
}
