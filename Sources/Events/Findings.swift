import Store
import Synchronization
import Threads

/// What has become of deliveries and is not written yet.
///
/// Couriers add to it and go on; the dispatcher writes all of it with its next transaction. So many
/// couriers cost the database one commit, and none of them waits for it.
final class Findings: Sendable {
    /// What one courier has found out at once.
    struct Batch {
        let target: TargetID
        let marks: [Mark]
        /// Until then the deliveries are this worker's. What is not written by then is sent again.
        let leaseEnd: MonotonicTime
    }

    private struct State {
        var waiting: [Batch] = []
        var beingWritten: [Batch] = []
    }

    private let state = Mutex(State())

    func add(_ batch: Batch) { state.withLock { $0.waiting.append(batch) } }

    /// Takes batches with about so many marks, at least one if there is any. They are settled by
    /// ``written()`` or ``notWritten()``.
    func take(marksMax: Int) -> [Batch] {
        state.withLock { state in
            var count = 0
            let taken = state.waiting.prefix { batch in
                defer { count += batch.marks.count }
                return count < marksMax
            }
            state.waiting.removeFirst(taken.count)
            state.beingWritten = Array(taken)
            return state.beingWritten
        }
    }

    /// What was taken is in the database.
    func written() { state.withLock { $0.beingWritten = [] } }

    /// What was taken is not in the database, and waits again.
    ///
    /// - Returns: what need not be written any more, as its lease is over.
    func notWritten() -> [Batch] {
        let now = MonotonicTime.now
        return state.withLock { state in
            let late = state.beingWritten.filter { $0.leaseEnd <= now }
            state.waiting.insert(
                contentsOf: state.beingWritten.filter { now < $0.leaseEnd }, at: 0)
            state.beingWritten = []
            return late
        }
    }

    /// Whether all that was found out about a target is in the database, or is given up.
    func hasSettled(_ target: TargetID) -> Bool {
        state.withLock { state in
            !state.waiting.contains { $0.target == target }
                && !state.beingWritten.contains { $0.target == target }
        }
    }

    var isEmpty: Bool {
        state.withLock { $0.waiting.isEmpty && $0.beingWritten.isEmpty }
    }
}
