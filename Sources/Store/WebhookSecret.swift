import FoundationEssentials

/// The key that signs what one endpoint gets, known to its receiver and to us.
///
/// It has no description, so that none ends up in a log by accident.
public struct WebhookSecret: Sendable, Equatable {
    /// Standard Webhooks allows 24 to 64; a key of HMAC-SHA256 is worth 32.
    private static let bytesCount = 32

    /// The key itself.
    public let bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// A new one that nobody can guess: Swift's own generator asks the kernel.
    public static func random() -> WebhookSecret {
        WebhookSecret((0..<bytesCount).map { _ in .random(in: .min ... .max) })
    }

    /// As the receiver's library wants it: `whsec_` and base64.
    public var text: String { "whsec_" + Data(bytes).base64EncodedString() }
}
