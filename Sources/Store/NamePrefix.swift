import Commerce

/// What a product's name begins with, as the names' collation compares: without regard to case, accents
/// and characters that show nothing.
public struct NamePrefix: Sendable {
    /// Composed (NFC): the same for all that look the same.
    public let text: String

    /// The column's length in characters.
    private static let nameLengthMax = 200
    /// The characters that utf8mb4_unicode_520_ci sorts first and last: a tab, before the blank that
    /// shorter names are taken to end with, and the last of all code points.
    private static let (lowest, highest) = ("\u{9}", "\u{10FFFF}")

    /// - Returns: nil for a text of characters that names are not sorted by, such as controls, joiners
    ///   and lone marks: every name begins with it.
    public init?(_ text: String) {
        guard text.unicodeScalars.contains(where: \.isSortedBy) else { return nil }
        self.text = text.composed
    }

    /// From the first to the last name that begins with the text. The collation knows composed and
    /// decomposed Hangul as different, and names come from wherever: so both are looked for.
    var ranges: [(first: String, last: String)] {
        let decomposed = text.decomposed
        let isOther = !decomposed.unicodeScalars.elementsEqual(text.unicodeScalars)
        return (isOther ? [text, decomposed] : [text]).compactMap { form in
            let rest = Self.nameLengthMax - form.unicodeScalars.count
            guard rest >= 0 else { return nil }
            return (
                form + String(repeating: Self.lowest, count: rest),
                form + String(repeating: Self.highest, count: rest)
            )
        }
    }
}

extension Unicode.Scalar {
    /// Whether the collation gives it a weight, or could.
    fileprivate var isSortedBy: Bool {
        switch properties.generalCategory {
        case .control, .format, .nonspacingMark, .enclosingMark: false
        default: !properties.isDefaultIgnorableCodePoint
        }
    }
}
