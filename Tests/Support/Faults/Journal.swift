import FoundationEssentials
import Glibc
import ShopParts

/// Every request of the clients and every answer, on the disk as they come and never rewritten: a
/// line before a request is sent, and another when its outcome is known.
final class Journal: Sendable {
    struct Line: Encodable {
        let at: Double
        let client: String
        let request: String
        let key: String?
        let body: String
        let outcome: String?
    }

    private let descriptor: Int32
    private let start = ContinuousClock.now

    init(at path: String) throws {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure("cannot write \(path)") }
    }

    deinit { close(descriptor) }

    /// Seconds since the run began.
    var now: Double { start.duration(to: .now) / .seconds(1) }

    func write(_ client: String, _ request: String, key: String?, body: String, outcome: String?) {
        let line = Line(
            at: (now * 1_000).rounded() / 1_000, client: client, request: request, key: key,
            body: body, outcome: outcome)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard var bytes = try? encoder.encode(line) else { return }
        bytes.append(0x0A)
        // One write a line: nobody writes into the middle of another's.
        bytes.withUnsafeBytes { _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}
