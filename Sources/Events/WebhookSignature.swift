import Crypto
import FoundationEssentials
import Store

/// The signature of a webhook by Standard Webhooks 1.0.0 (standardwebhooks.com).
///
/// It covers the event's id and the time of the attempt too, so that a receiver can tell a replay.
enum WebhookSignature {
    /// The value of `webhook-signature`: one signature a secret, parted by blanks. A receiver takes
    /// the message if one of them is right.
    ///
    /// - Parameter seconds: of the attempt, since 1970, as in `webhook-timestamp`.
    static func header(
        id: String, seconds: Int, body: [UInt8], secrets: [WebhookSecret]
    ) -> String {
        let content = Array("\(id).\(seconds).".utf8) + body
        return secrets.map { secret in
            let code = HMACSHA256.code(for: content, key: secret.bytes)
            return "v1," + Data(code).base64EncodedString()
        }.joined(separator: " ")
    }
}
