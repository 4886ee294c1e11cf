import Glibc
import Synchronization

/// A file that takes lines, each in one write.
///
/// A reader that stalls costs lines and not the service: what finds no room within a moment is
/// dropped and counted, and the next line that gets through says how many there were.
public final class LineOutput: Sendable {
    /// For a reader to make room; after a line was lost there is no waiting until there is.
    private static let patienceMilliseconds: Int32 = 100

    /// The log of this process.
    public static let standardError = LineOutput(to: STDERR_FILENO)

    private let descriptor: Int32
    private let lost = Mutex(0)

    /// Writes to a descriptor that stays open.
    public init(to descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Lines that were lost and not yet reported.
    var lostCount: Int { lost.withLock { $0 } }

    func write(_ line: [UInt8], reporting reported: Int) {
        lost.withLock { lost in
            let patience = lost == 0 ? Self.patienceMilliseconds : 0
            if put(line, patience) { lost = max(0, lost - reported) } else { lost += 1 }
        }
    }

    /// Under the lock, so that the room that was found is still there.
    private func put(_ line: [UInt8], _ patience: Int32) -> Bool {
        var interest = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&interest, 1, patience) == 1, interest.revents & Int16(POLLOUT) != 0 else {
            return false
        }
        return Glibc.write(descriptor, line, line.count) == line.count
    }
}
