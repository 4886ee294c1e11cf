extension String {
    /// The text as a cause that is stored: control characters and what else a terminal obeys are
    /// spelled out (`\u{1B}`), for a cause may hold a peer's words.
    ///
    /// - Parameter max: MariaDB counts code points, of which a character may have any number.
    func asOneLine(codePointsMax max: Int) -> String {
        var line = UnicodeScalarView()
        for scalar in unicodeScalars.prefix(max) {
            line.append(contentsOf: scalar.isVisible ? [scalar] : scalar.spelled)
        }
        return String(UnicodeScalarView(line.prefix(max)))
    }
}

extension Unicode.Scalar {
    fileprivate var isVisible: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }

    fileprivate var spelled: [Unicode.Scalar] {
        Array("\\u{\(String(value, radix: 16, uppercase: true))}".unicodeScalars)
    }
}
