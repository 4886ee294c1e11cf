@_spi(_Unicode) import Swift

extension String {
    /// In Normalization Form C, as what reads it counts and shows it: ㅎ and ㅏ and ㄴ are one 한.
    ///
    /// The form is the standard library's own. FoundationEssentials has none, and Foundation's would
    /// bring 40 MB of tables along.
    var composed: String {
        var scalars = UnicodeScalarView()
        scalars.append(contentsOf: _nfc)
        return String(scalars)
    }

    /// The text, or as much of its beginning as makes so many UTF-16 units with the `…` behind it.
    ///
    /// It is cut between two characters; only a first character that is too long by itself is cut
    /// between two code points. UTF-16 units are the most that any receiver counts a text as, short of
    /// bytes: what is within the limit in them is so in code points and in characters.
    ///
    /// - Parameter limit: at least 1.
    func cut(toUTF16Units limit: Int) -> String {
        guard utf16.count > limit else { return self }
        let whole = prefix(count(of: self, within: limit - 1) { $0.utf16.count })
        if !whole.isEmpty { return whole + "…" }
        let codePoints = unicodeScalars.prefix(
            count(of: unicodeScalars, within: limit - 1) { $0.utf16.count })
        return String(String.UnicodeScalarView(codePoints)) + "…"
    }

    /// How many of the parts fit.
    private func count<Part>(
        of parts: some Sequence<Part>, within limit: Int, _ units: (Part) -> Int
    ) -> Int {
        var (count, room) = (0, limit)
        for part in parts {
            room -= units(part)
            if room < 0 { break }
            count += 1
        }
        return count
    }
}
