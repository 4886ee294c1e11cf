import Commerce
import Glibc

/// Writes messages to a file, a JSON object a line, for whoever has no gateway: `tail -f` shows
/// orders as they arrive.
///
/// A batch is written whole or not at all, under the file's lock (`flock`), so several processes may
/// share a file; and it is on the disk (`fdatasync`) before it counts as sent. The file is opened for
/// each batch: it may be moved or removed at any time. It holds phone numbers, so only its owner may
/// read it.
public struct FileChannel: NotificationChannel {
    private let path: String

    public init(path: String) {
        self.path = path
    }

    /// One is as dear as many: what takes time is the disk.
    public var notificationsMax: Int { 500 }

    public func send(
        _ notifications: [Notification]
    ) throws(TargetUnavailable) -> [DeliveryResult] {
        do throws(FileError) {
            try append(notifications.map(Line.init))
        } catch {
            throw TargetUnavailable(cause: "\(path): \(error)")
        }
        return notifications.map { _ in .delivered }
    }

    private func append(_ lines: [Line]) throws(FileError) {
        let file = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw FileError("open") }
        defer { close(file) }  // And with it the lock.
        try Self.lock(file)
        var status = stat()
        guard fstat(file, &status) == 0 else { throw FileError("fstat") }
        do throws(FileError) {
            var bytes: [UInt8] =
                try Self.endsWithinLine(file, status.st_size) ? [Self.newline] : []
            for line in lines { bytes += line.bytes + [Self.newline] }
            try Self.write(bytes, to: file)
        } catch {
            ftruncate(file, status.st_size)
            throw error
        }
    }

    private static let newline = UInt8(ascii: "\n")
    /// Others hold the lock for the time of a batch, which is milliseconds.
    private static let lockMilliseconds = 2_000

    private static func lock(_ file: Int32) throws(FileError) {
        for _ in 0..<lockMilliseconds {
            if flock(file, LOCK_EX | LOCK_NB) == 0 { return }
            guard errno == EWOULDBLOCK || errno == EINTR else { break }
            usleep(1_000)
        }
        throw FileError("flock")
    }

    /// Whether a process was killed amid a line, which would swallow the next.
    private static func endsWithinLine(_ file: Int32, _ size: off_t) throws(FileError) -> Bool {
        guard size > 0 else { return false }
        var last = newline
        guard pread(file, &last, 1, size - 1) == 1 else { throw FileError("pread") }
        return last != newline
    }

    private static func write(_ bytes: [UInt8], to file: Int32) throws(FileError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw FileError("write") }
            rest = rest.dropFirst(count)
        }
        guard fdatasync(file) == 0 else { throw FileError("fdatasync") }
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

/// Which call failed, in the system's words.
private struct FileError: Error, CustomStringConvertible {
    let description: String

    init(_ call: String) {
        description = "\(call): \(String(cString: strerror(errno)))"
    }
}
