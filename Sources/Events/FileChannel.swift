import Commerce
import Store
import Synchronization

/// Writes messages to a file, a JSON object a line, for whoever has no gateway: `tail -f` shows
/// orders as they arrive.
///
/// A batch is written whole or not at all, under the file's lock (`flock`), so several processes may
/// share a file; and it is on the disk (`fdatasync`) before it counts as sent. The file is opened for
/// each batch: it may be moved or removed at any time. It holds phone numbers, so only its owner may
/// read it.
///
/// The path may lead to a pipe, a terminal or a socket too, such as `/dev/stdout`. What each takes
/// counts as sent: nobody can say whether it was read.
public struct FileChannel: NotificationChannel {
    private let path: String
    /// What is kept from one batch to the next.
    private let state = State()

    private final class State: Sendable {
        /// Whether a line was begun that is not ended, where nobody can look.
        let isTorn = Mutex(false)
    }

    public init(path: String) {
        self.path = path
    }

    /// One is as dear as many: what takes time is the disk.
    public var notificationsMax: Int { 500 }

    public func send(
        _ notifications: [Notification]
    ) throws(TargetUnavailable) -> [DeliveryResult] {
        let outcome = try append(notifications.map { Line($0).bytes })
        return notifications.indices.map { index in
            guard let error = outcome.error, index >= outcome.taken else { return .delivered }
            return .failed(cause: "\(path): \(error)", retryAfterSeconds: nil)
        }
    }

    /// - Throws: when not a single line was taken.
    private func append(_ lines: [[UInt8]]) throws(TargetUnavailable) -> LineFile.Outcome {
        do throws(FileError) {
            return try state.isTorn.withLock { isTorn throws(FileError) in
                let outcome = try LineFile(at: path).append(lines, isTorn: isTorn)
                isTorn = outcome.isTorn
                if outcome.taken == 0, let error = outcome.error { throw error }
                return outcome
            }
        } catch {
            throw TargetUnavailable(cause: "\(path): \(error)")
        }
    }
}

/// A line of the file.
private struct Line: Encodable {
    let type: String
    let eventId: String
    let orderId: String
    let phone: String
    let text: String

    init(_ notification: Notification) {
        type = notification.occasion.rawValue
        eventId = notification.eventID.lowercased
        orderId = "\(notification.orderID)"
        phone = notification.phone
        text = notification.text
    }

    var bytes: [UInt8] { JSONLine.bytes(of: self) }
}
