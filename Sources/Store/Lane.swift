import Commerce
import Threads

/// A thread that commits waiting commands together: group commit.
///
/// It takes whatever waits, settles it in one transaction, answers, and looks again. A lone command
/// is committed at once; under load the commands that arrive during one commit are the next batch.
/// So the cost of a commit, and of the one version check on a hot product, is shared by as many
/// buyers as came meanwhile.
final class Lane: Sendable {
    /// Commands of one batch: more would make the first of them wait for the last.
    private static let commandsMax = 256
    /// Order lines of one batch: bounds how long one transaction holds its locks.
    private static let linesMax = 4_096
    /// Between two looks at an empty queue.
    private static let idleMilliseconds = 1_000

    private struct Queue {
        var tickets: [Ticket] = []
        var isClosed = false
    }

    private enum Work {
        case batch([Ticket])
        case closed
    }

    private let queue = Monitor(Queue())
    private let queuedMax: Int
    private let measurements: LedgerMeasurements

    /// - Parameter queuedMax: commands that may wait.
    init(queuedMax: Int, measurements: LedgerMeasurements) {
        self.queuedMax = queuedMax
        self.measurements = measurements
    }

    /// Queues a command.
    ///
    /// - Returns: false when the queue is full, or closed.
    func add(_ ticket: Ticket) -> Bool {
        let depth = queue.update { queue -> Int? in
            guard !queue.isClosed, queue.tickets.count < queuedMax else { return nil }
            queue.tickets.append(ticket)
            return queue.tickets.count
        }
        guard let depth else { return false }
        measurements.queued(depth)
        return true
    }

    /// Takes no more commands. ``run(_:)`` ends when those that wait are settled.
    func close() {
        queue.update { $0.isClosed = true }
    }

    /// Settles commands until the lane is closed and empty.
    func run(_ settler: Settler) {
        var settler = settler
        while true {
            switch next() {
            case .batch(let tickets): settle(tickets.filter { $0.take() }, with: &settler)
            case .closed: return
            case nil: continue
            }
        }
    }

    private func settle(_ tickets: [Ticket], with settler: inout Settler) {
        guard !tickets.isEmpty else { return }
        let results = settler.settle(tickets.map(\.command))
        for (ticket, result) in zip(tickets, results) { ticket.answer(result) }
    }

    private func next() -> Work? {
        queue.take(withinMilliseconds: Self.idleMilliseconds) { queue, _ in
            if queue.tickets.isEmpty { return queue.isClosed ? .closed : nil }
            let count = Self.batchCount(queue.tickets)
            defer { queue.tickets.removeFirst(count) }
            return .batch(Array(queue.tickets.prefix(count)))
        }
    }

    /// How many commands make the next batch; at least one.
    private static func batchCount(_ tickets: [Ticket]) -> Int {
        var lines = 0
        for (count, ticket) in tickets.prefix(commandsMax).enumerated() {
            lines += ticket.command.cart?.lines.count ?? 0
            if lines > linesMax { return max(1, count) }
        }
        return min(tickets.count, commandsMax)
    }
}
