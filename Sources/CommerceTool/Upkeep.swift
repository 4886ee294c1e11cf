import Logging
import Threads

/// A thread that does a short piece of work again and again, until it is stopped.
final class Upkeep: Sendable {
    private let isStopped: Monitor<Bool>
    private let thread: WorkerThread

    /// - Parameters:
    ///   - name: of the work, for the log.
    ///   - firstSeconds: until the first time, where that is to be another.
    ///   - work: what it throws is logged once, and it is done again at its next time.
    init(
        _ name: String, everySeconds seconds: Int, firstAfterSeconds firstSeconds: Int? = nil,
        logger: Logger,
        _ work: @escaping @Sendable () throws -> Void
    ) {
        let isStopped = Monitor(false)
        self.isStopped = isStopped
        thread = WorkerThread {
            var isFailing = false
            var pause = firstSeconds ?? seconds
            while isStopped.take(withinMilliseconds: pause * 1_000, Self.yes) == nil {
                pause = seconds
                do {
                    try work()
                    if isFailing { logger.info("\(name) works again") }
                    isFailing = false
                } catch {
                    if !isFailing {
                        logger.warning("\(name) failed", metadata: ["cause": "\(error)"])
                    }
                    isFailing = true
                }
            }
        }
    }

    /// Stops the thread, when it has finished its work.
    func stop() {
        isStopped.update { $0 = true }
        thread.join()
    }

    private static func yes(_ isStopped: inout Bool, _: Bool) -> Bool? {
        isStopped ? true : nil
    }
}
