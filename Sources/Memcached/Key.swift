import CMemcached

/// A key that memcached takes.
struct Key {
    /// A key as memcached gives it back.
    typealias Text = String

    /// Bytes of a key in memcached's protocol.
    private static let bytesMax = 250

    private let bytes: [CChar]

    /// Checks a key: a blank or a line break in it would be a command of whoever chose the key.
    init(_ text: String) throws(Unavailable) {
        let visible = UInt8(ascii: "!")...UInt8(ascii: "~")
        let isValid = !text.isEmpty && text.utf8.allSatisfy(visible.contains)
        guard isValid && text.utf8.count <= Self.bytesMax else { throw Unavailable(.invalidKey) }
        bytes = text.utf8.map { CChar(bitPattern: $0) }
    }

    /// The key's address and length.
    func withPointer<T>(_ body: (UnsafePointer<CChar>, Int) -> T) -> T {
        bytes.withUnsafeBufferPointer { body($0.baseAddress!, $0.count) }
    }

    /// The addresses and lengths of several keys.
    static func withPointers<T>(
        _ keys: [Key],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<Int>) -> T
    ) -> T {
        let lengths = keys.map(\.bytes.count)
        return keys.flatMap(\.bytes).withUnsafeBufferPointer { all in
            var offset = 0
            let pointers = lengths.map { length in
                defer { offset += length }
                return all.baseAddress.map { $0 + offset }
            }
            return body(pointers, lengths)
        }
    }
}

extension Key.Text {
    init(_ result: UnsafeMutablePointer<memcached_result_st>) {
        let bytes = UnsafeRawBufferPointer(
            start: memcached_result_key_value(result), count: memcached_result_key_length(result))
        self.init(decoding: bytes, as: UTF8.self)
    }
}
