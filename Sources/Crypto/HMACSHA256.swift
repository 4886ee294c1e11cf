import COpenSSL

/// HMAC with SHA-256 (RFC 2104).
public enum HMACSHA256 {
    /// The code that proves a message to whoever has the key.
    ///
    /// - Parameter key: of any length.
    public static func code(for message: [UInt8], key: [UInt8]) -> [UInt8] {
        // A key's length is an Int32 in C. A longer key stands for its digest (RFC 2104, 2).
        let key = key.count > blockBytesCount ? SHA256.digest(of: key) : key
        return [UInt8](unsafeUninitializedCapacity: SHA256.bytesCount) { code, count in
            let made = HMAC(
                SHA256.algorithm.pointer, key, Int32(key.count), message, message.count,
                code.baseAddress, nil)
            // It fails only where memory has run out.
            precondition(made != nil, "libcrypto could not compute an HMAC")
            count = SHA256.bytesCount
        }
    }

    /// Bytes of a block of SHA-256.
    private static let blockBytesCount = 64
}
