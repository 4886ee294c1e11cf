import Commerce
import Threads

/// Commits waiting commands together: group commit.
///
/// One thread takes whatever waits, settles it in one transaction, and looks again. A lone command
/// is committed at once; under load the commands that arrive during one commit are the next batch.
/// So the cost of a commit, and of the one version check on a hot product, is shared by as many
/// buyers as came meanwhile. A second thread tells many buyers, while the first is at the next batch.
final class Lane: Sendable {
    /// Commands of one batch: more would make the first of them wait for the last.
    private static let commandsMax = 256
    /// Order lines of one batch: bounds how long one transaction holds its locks.
    private static let linesMax = 4_096
    /// For a command to be taken. Past it, it is withdrawn: it has no effect and never will. Once
    /// taken, its outcome is awaited, because only that is true: for the settler's patience of 3 s
    /// and the 5 s that a last statement may take, so that nginx, which waits 15 s, hears of it.
    private static let queueMilliseconds = 4_000
    /// Between two looks for commands to withdraw.
    private static let tickMilliseconds = 50

    /// One command on its way through the lane.
    private struct Ticket {
        let command: Command
        let deadline: MonotonicTime
        let then: Ledger.Continuation
    }

    private struct Queue {
        var tickets: ArraySlice<Ticket> = []
        var isClosed = false
    }

    /// A batch whose outcomes are durable and not yet told.
    private struct Settled {
        let tickets: ArraySlice<Ticket>
        let settlement: Settler.Settled
    }

    private struct Desk {
        var settled: [Settled] = []
        var isClosed = false
    }

    private let queue = Monitor(Queue())
    private let desk = Monitor(Desk())
    private let queuedMax: Int
    private let measurements: LedgerMeasurements
    private let refresh: @Sendable ([Product]) -> Void

    /// - Parameters:
    ///   - queuedMax: commands that may wait.
    ///   - refresh: shows changed products to all readers. It comes before the telling, so that a
    ///     buyer who looks again finds the order in the stock.
    init(
        queuedMax: Int, measurements: LedgerMeasurements,
        refresh: @escaping @Sendable ([Product]) -> Void
    ) {
        self.queuedMax = queuedMax
        self.measurements = measurements
        self.refresh = refresh
    }

    /// Queues a command.
    ///
    /// - Parameter then: called once, with the outcome.
    /// - Returns: false when the queue is full or closed; `then` is not called.
    func add(_ command: Command, then: @escaping Ledger.Continuation) -> Bool {
        let deadline = MonotonicTime.now.advanced(byMilliseconds: Self.queueMilliseconds)
        let ticket = Ticket(command: command, deadline: deadline, then: then)
        let depth = queue.update { queue -> Int? in
            guard !queue.isClosed, queue.tickets.count < queuedMax else { return nil }
            queue.tickets.append(ticket)
            return queue.tickets.count
        }
        guard let depth else { return false }
        measurements.queued(depth)
        return true
    }

    /// Takes no more commands. ``settleAll(with:)`` and ``tellAll()`` end when those that wait are
    /// settled and told.
    func close() {
        queue.update { $0.isClosed = true }
    }

    // MARK: - The thread that settles

    /// Settles commands until the lane is closed and empty.
    func settleAll(with settler: Settler) {
        var settler = settler
        while let tickets = nextBatch() {
            if tickets.isEmpty { continue }
            let settled = Settled(
                tickets: tickets, settlement: settler.settle(tickets.map(\.command)))
            if tickets.count == 1 && isIdle {
                tell(settled)  // Nothing to do meanwhile: another thread would only cost time.
            } else {
                desk.update { $0.settled.append(settled) }
            }
        }
        desk.update { $0.isClosed = true }
    }

    private var isIdle: Bool {
        queue.update { $0.tickets.isEmpty }
    }

    private enum Next<Work> {
        case work(Work)
        case closed
    }

    /// - Returns: an empty batch when nothing came for a while; nil when nothing will come.
    private func nextBatch() -> ArraySlice<Ticket>? {
        let next = queue.take(withinMilliseconds: Self.tickMilliseconds) {
            queue, _ -> Next<ArraySlice<Ticket>>? in
            if queue.tickets.isEmpty { return queue.isClosed ? .closed : nil }
            let batch = queue.tickets.prefix(Self.batchCount(queue.tickets))
            queue.tickets.removeFirst(batch.count)
            return .work(batch)
        }
        return switch next {
        case .work(let batch): batch
        case .closed: nil
        case nil: []
        }
    }

    /// How many commands make the next batch; at least one.
    private static func batchCount(_ tickets: ArraySlice<Ticket>) -> Int {
        var lines = 0
        for (count, ticket) in tickets.prefix(commandsMax).enumerated() {
            lines += ticket.command.linesMax
            if lines > linesMax { return max(1, count) }
        }
        return min(tickets.count, commandsMax)
    }

    // MARK: - The thread that tells

    /// Tells outcomes until the lane is closed and empty.
    func tellAll() {
        while let settled = nextSettled() {
            for batch in settled { tell(batch) }
            withdrawOverdue()
        }
    }

    private func tell(_ settled: Settled) {
        refresh(settled.settlement.products)
        for (ticket, result) in zip(settled.tickets, settled.settlement.results) {
            ticket.then(result)
        }
    }

    private func nextSettled() -> [Settled]? {
        let next = desk.take(withinMilliseconds: Self.tickMilliseconds) {
            desk, _ -> Next<[Settled]>? in
            if desk.settled.isEmpty { return desk.isClosed ? .closed : nil }
            defer { desk.settled = [] }
            return .work(desk.settled)
        }
        return switch next {
        case .work(let settled): settled
        case .closed: nil
        case nil: []
        }
    }

    private func withdrawOverdue() {
        let now = MonotonicTime.now
        let overdue = queue.update { queue in
            let overdue = queue.tickets.prefix { $0.deadline < now }
            queue.tickets.removeFirst(overdue.count)
            return overdue
        }
        for ticket in overdue {
            ticket.then(.failure(.notDone(cause: "no lane took the command in time")))
        }
    }
}
