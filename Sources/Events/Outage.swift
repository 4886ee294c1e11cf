import Logging
import Synchronization

/// Who of the worker's threads cannot work for want of MariaDB. It is said once, when the first of
/// them finds out, and once when the last of them works again.
final class Outage: Sendable {
    private let logger: Logger
    private let waiting = Mutex<Set<String>>([])

    init(logger: Logger) {
        self.logger = logger
    }

    func begins(for thread: String, _ error: any Error) {
        let isNew = waiting.withLock { waiting in
            defer { waiting.insert(thread) }
            return waiting.isEmpty
        }
        guard isNew else { return }
        logger.warning("waiting for MariaDB", metadata: ["for": "\(thread)", "cause": "\(error)"])
    }

    func ends(for thread: String) {
        let isOver = waiting.withLock { $0.remove(thread) != nil && $0.isEmpty }
        if isOver { logger.info("MariaDB answers again") }
    }

    /// A thread that ends does not wait any more.
    func forget(_ thread: String) {
        waiting.withLock { _ = $0.remove(thread) }
    }
}
