/// A key that memcached takes.
struct Key {
    /// Bytes of a key in memcached's protocol.
    private static let bytesMax = 250

    let bytes: [UInt8]

    /// Checks a key: a blank or a line break in it would be a command of whoever chose the key.
    init(_ text: String) throws(Unavailable) {
        let visible = UInt8(ascii: "!")...UInt8(ascii: "~")
        let isValid = !text.isEmpty && text.utf8.allSatisfy(visible.contains)
        guard isValid && text.utf8.count <= Self.bytesMax else { throw Unavailable(.invalidKey) }
        bytes = Array(text.utf8)
    }
}
