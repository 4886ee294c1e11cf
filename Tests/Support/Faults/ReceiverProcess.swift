import Crypto
import FoundationEssentials
import Glibc
import HTTPReceiver
import ShopParts

/// A receiver of webhooks in a process of its own, which can be killed and which has moods.
///
/// It writes down each event before it says 200, with whether the signature was right: a line
/// `ID right` or `ID wrong` in `received`.
package final class ReceiverProcess: Sendable {
    /// How it treats whoever brings an event, until it is told otherwise.
    enum Mood: String, CaseIterable, Sendable { case well, errors, hangs, resets, tooMany }

    let post: Post
    private let folder: String

    /// Starts it and registers it with the shop.
    init(_ command: [String], settings: [String: String], in folder: String) throws {
        self.folder = folder
        let port = try freePort()
        let added = try Finished(
            [TestRun.commerce, "webhooks", "add", "http://127.0.0.1:\(port)/hook"],
            settings: settings.merging(["COMMERCE_WEBHOOKS_ALLOW_PRIVATE": "1"]) { $1 }, in: folder)
        guard added.status == 0, let secret = added.output.split(separator: "whsec_").last else {
            throw Failure("no endpoint: \(added.errors)")
        }
        let key = String(secret.prefix { !$0.isWhitespace })
        let arguments = command + ["\(port)", folder, key]
        post = try Post("receiver") {
            let part = try Part(arguments, log: "\(folder)/receiver.log")
            let isReady = eventually(within: 60) {
                (try? Client(port: port, patienceSeconds: 5).get("/")) == nil ? part.ended : 0
            }
            guard isReady == 0 else { throw Failure("receiver: \(contents(of: part.log))") }
            return part
        }
    }

    func become(_ mood: Mood) { Self.write(mood.rawValue, to: "\(folder)/mood") }

    /// What it has taken: an event's id for each time, and those whose signatures were wrong.
    var received: (ids: [UUID], wrong: [String]) {
        var (ids, wrong) = ([UUID](), [String]())
        for line in contents(of: "\(folder)/received").split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[1] == "right", let id = UUID(uuidString: String(words[0])) {
                ids.append(id)
            } else {
                wrong.append(String(line))
            }
        }
        return (ids, wrong)
    }

    private static func write(_ text: String, to path: String) {
        try? Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
    }

    // MARK: - In the process

    /// Serves for ever.
    package static func run(port: UInt16, folder: String, secret: String) throws -> Never {
        guard let bytes = Data(base64Encoded: secret) else { throw Failure("not a secret") }
        let received = open(
            "\(folder)/received", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        let receiver = try Receiver(port: port) { arrival in
            guard arrival.method == "POST" else { return .answer(200) }
            switch mood(in: folder) {
            case .well: break
            case .errors: return .answer(500)
            case .resets: return .reset
            case .tooMany: return .answer(429, headers: ["Retry-After": "1"])
            case .hangs:
                while mood(in: folder) == .hangs { usleep(50_000) }
                return .reset
            }
            let id = arrival.headers["webhook-id"] ?? "-"
            let line = "\(id) \(isSigned(arrival, id, by: bytes) ? "right" : "wrong")\n"
            let count = line.withCString { Glibc.write(received, $0, strlen($0)) }
            return .answer(count == line.utf8.count ? 200 : 500)
        }
        while true { withExtendedLifetime(receiver) { _ = pause() } }
    }

    private static func mood(in folder: String) -> Mood {
        Mood(rawValue: contents(of: "\(folder)/mood")) ?? .well
    }

    /// By Standard Webhooks 1.0.0, and not by the code that has signed.
    private static func isSigned(_ arrival: Arrival, _ id: String, by secret: Data) -> Bool {
        guard let seconds = arrival.headers["webhook-timestamp"] else { return false }
        let content = Array("\(id).\(seconds).".utf8) + arrival.body
        let code = HMACSHA256.code(for: content, key: Array(secret))
        let isWhole = String(decoding: arrival.body, as: UTF8.self).hasPrefix(#"{"id":"\#(id)""#)
        return isWhole
            && arrival.headers["webhook-signature"] == "v1," + Data(code).base64EncodedString()
    }
}
