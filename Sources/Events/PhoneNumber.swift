/// A Korean phone number as gateways take it: ASCII digits, as it is dialled within Korea.
struct PhoneNumber: Equatable {
    /// With an area code or the like: from 02-123-4567 to the twelve of 0505-1234-5678.
    private static let digitCounts = 9...12
    private static let country = "82"

    let digits: String

    /// Reads a number as people write it: with digits of any script, separators of any kind, and the
    /// country's code or not (`+82 10-…`, `0082 10…`, `82(0)10…`).
    ///
    /// - Returns: nil for what is no number of Korea.
    init?(_ text: String) {
        guard let (digits, isInternational) = Self.digits(of: text) else { return nil }
        let hasCode = digits.hasPrefix(Self.country)
        guard hasCode || !isInternational else { return nil }
        // No number begins with 82 within Korea: all that can be sent to begin with 0.
        let national = hasCode ? digits.dropFirst(Self.country.count) : digits[...]
        self.digits = hasCode && !national.hasPrefix("0") ? "0\(national)" : String(national)
        guard Self.digitCounts.contains(self.digits.count), self.digits.hasPrefix("0"),
            !self.digits.hasPrefix("00")
        else { return nil }
    }

    /// - Returns: nil where there is something else than digits and separators.
    private static func digits(of text: String) -> (String, isInternational: Bool)? {
        var digits = ""
        var hasPlus = false
        for scalar in text.unicodeScalars {
            if let digit = scalar.decimalDigit {
                digits += "\(digit)"
            } else if scalar == "+" || scalar == "\u{FF0B}" {
                guard digits.isEmpty && !hasPlus else { return nil }
                hasPlus = true
            } else if !scalar.isPhoneSeparator {
                return nil
            }
        }
        guard !hasPlus, digits.hasPrefix("00") else { return (digits, hasPlus) }
        return (String(digits.dropFirst(2)), true)
    }
}

extension Unicode.Scalar {
    /// Of any script that writes numbers digit by digit, such as the full-width ones of Korean keyboards.
    fileprivate var decimalDigit: Int? {
        guard properties.numericType == .decimal else { return nil }
        return properties.numericValue.map { Int($0) }
    }

    /// What people write between digits, or a phone's address book adds without showing it.
    fileprivate var isPhoneSeparator: Bool {
        if properties.isWhitespace { return true }
        return switch properties.generalCategory {
        case .dashPunctuation, .format: true
        case .openPunctuation, .closePunctuation: true
        default: [".", "\u{FF0E}", "\u{B7}", "\u{30FB}", "\u{2212}"].contains(self)
        }
    }
}
