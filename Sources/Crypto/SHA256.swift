import COpenSSL

/// SHA-256 (FIPS 180-4).
public enum SHA256 {
    /// Bytes of a digest.
    public static let bytesCount = 32

    /// The digest of these bytes.
    public static func digest(of bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: bytesCount) { digest, count in
            let isDone = EVP_Digest(
                bytes, bytes.count, digest.baseAddress, nil, algorithm.pointer, nil)
            // It fails only where memory has run out.
            precondition(isDone == 1, "libcrypto could not compute a SHA-256")
            count = bytesCount
        }
    }

    static let algorithm = Algorithm("SHA2-256")
}

/// An algorithm of libcrypto, looked up once: the look-up costs more than a short digest.
///
/// Unchecked: libcrypto never changes it.
struct Algorithm: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ name: String) {
        guard let pointer = EVP_MD_fetch(nil, name, nil) else {
            preconditionFailure("libcrypto has no \(name)")
        }
        self.pointer = pointer
    }
}
