import Logging
import MariaDB
import Store
import Synchronization

/// Who of the worker's threads cannot work for want of MariaDB. It is said when the first of them
/// finds out, again when the cause is another one, and once when the last of them works again.
final class Outage: Sendable {
    private struct State {
        var waiting: Set<String> = []
        var complaint = Complaint()
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(logger: Logger) {
        self.logger = logger
    }

    func begins(for thread: String, _ error: any Error) {
        let isNews = state.withLock { state in
            state.waiting.insert(thread)
            return state.complaint.isNews(error.nameOfCause)
        }
        guard isNews else { return }
        let fields: Logger.Metadata = ["for": "\(thread)", "cause": "\(error)"]
        if error.mayPass {
            logger.warning("waiting for MariaDB", metadata: fields)
        } else {
            logger.error("MariaDB refuses", metadata: fields)
        }
    }

    func ends(for thread: String) {
        let isOver = state.withLock { state in
            state.waiting.remove(thread) != nil && state.waiting.isEmpty && state.complaint.ends()
        }
        if isOver { logger.info("MariaDB answers again") }
    }

    /// A thread that ends does not wait any more.
    func forget(_ thread: String) {
        state.withLock { _ = $0.waiting.remove(thread) }
    }
}

extension Error {
    /// Whether the same may succeed later, with nobody doing anything about it here. What may not is
    /// no outage: waiting for its end would be waiting for ever.
    var mayPass: Bool {
        guard let error = self as? DatabaseError else { return self is CommitOutcomeUnknown }
        return !error.kind.isDefect
    }

    /// The same for what only differs in words: a server that is away is so in many.
    fileprivate var nameOfCause: String {
        guard let error = self as? DatabaseError else { return "\(self)" }
        return error.kind == .connectionLost ? "\(error.kind)" : "\(error.code)"
    }
}
