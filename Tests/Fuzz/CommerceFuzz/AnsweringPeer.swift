import Dispatch
import Glibc
import Synchronization
import Threads

/// The other end of a connection: waits for the first bytes, says what it was told to, and no more.
final class AnsweringPeer: Sendable {
    private let job = Mutex<(descriptor: Int32, bytes: [UInt8])?>(nil)
    private let asked = DispatchSemaphore(value: 0)
    private let done = DispatchSemaphore(value: 0)

    init() {
        let thread = WorkerThread { [self] in
            while true {
                asked.wait()
                guard let (descriptor, bytes) = job.withLock({ $0 }) else { continue }
                Self.answer(bytes, on: descriptor)
                done.signal()
            }
        }
        withExtendedLifetime(thread) {}
    }

    /// Runs `body` with one end of a connection while the other answers; `body` closes its end.
    func answering(_ bytes: [UInt8], _ body: (Int32) -> Void) {
        var ends: [Int32] = [0, 0]
        precondition(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        job.withLock { $0 = (ends[1], bytes) }
        asked.signal()
        body(ends[0])
        done.wait()
    }

    private static func answer(_ bytes: [UInt8], on descriptor: Int32) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        _ = recv(descriptor, &buffer, buffer.count, 0)
        _ = bytes.withUnsafeBytes {
            send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        shutdown(descriptor, Int32(SHUT_WR))
        while recv(descriptor, &buffer, buffer.count, 0) > 0 {}
        close(descriptor)
    }
}
