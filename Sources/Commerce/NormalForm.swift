@_spi(_Unicode) import Swift

extension String {
    /// Canonically composed (Unicode's NFC): a Hangul syllable is one code point.
    public var composed: String { Self(scalars: _nfc) }

    /// Canonically decomposed (NFD): a Hangul syllable is two or three.
    public var decomposed: String { Self(scalars: _nfd) }

    private init(scalars: some Sequence<Unicode.Scalar>) {
        var view = UnicodeScalarView()
        view.append(contentsOf: scalars)
        self.init(view)
    }
}
