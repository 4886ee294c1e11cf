import Commerce
import Threads

/// Commits waiting commands together: group commit.
///
/// One thread takes whatever waits, settles it in one transaction, and looks again: the commands that
/// arrive during one commit are the next batch. So the cost of a commit, and of the one version check
/// on a hot product, is shared by as many buyers as came meanwhile. A second thread tells many
/// buyers, while the first is at the next batch.
///
/// A command that finds the lane idle is settled at once by its own caller's thread: a change of
/// threads would cost it a third more, most of it in the conversation with the database, whose
/// thread for us sits where the caller's does.
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
        /// Nil while somebody settles.
        var settler: Settler?
        var isClosed = false

        mutating func takeSettler() -> Settler? {
            defer { settler = nil }
            return settler
        }
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

    private let queue: Monitor<Queue>
    private let desk = Monitor(Desk())
    private let queuedMax: Int
    private let measurements: LedgerMeasurements
    private let refresh: @Sendable ([Product]) -> Void

    /// - Parameters:
    ///   - queuedMax: commands that may wait.
    ///   - refresh: shows changed products to all readers. It comes before the telling, so that a
    ///     buyer who looks again finds the order in the stock.
    init(
        queuedMax: Int, settler: Settler, measurements: LedgerMeasurements,
        refresh: @escaping @Sendable ([Product]) -> Void
    ) {
        queue = Monitor(Queue(settler: settler))
        self.queuedMax = queuedMax
        self.measurements = measurements
        self.refresh = refresh
    }

    /// Settles a command at once, if nobody settles and nobody waits; otherwise queues it.
    ///
    /// - Parameters:
    ///   - beforeBlocking: called if this thread is to settle the command.
    ///   - then: called once, with the outcome.
    /// - Returns: false when the queue is full or closed; `then` is not called.
    func add(
        _ command: Command, beforeBlocking: () -> Void, then: @escaping Ledger.Continuation
    ) -> Bool {
        let deadline = MonotonicTime.now.advanced(byMilliseconds: Self.queueMilliseconds)
        let ticket = Ticket(command: command, deadline: deadline, then: then)
        if let settler = settlerIfIdle() {
            beforeBlocking()
            settle(ticket, with: settler)
            return true
        }
        let depth = queue.update { queue -> Int? in
            guard !queue.isClosed, queue.tickets.count < queuedMax else { return nil }
            queue.tickets.append(ticket)
            return queue.tickets.count
        }
        guard let depth else { return false }
        measurements.queued(depth)
        return true
    }

    /// Takes no more commands. ``settleAll()`` and ``tellAll()`` end when those that wait are
    /// settled and told.
    func close() {
        queue.update { $0.isClosed = true }
    }

    /// Commands that wait at this moment.
    var queuedCount: Int { queue.updateQuietly { $0.tickets.count } }

    // MARK: - The caller's thread

    private func settlerIfIdle() -> Settler? {
        queue.updateQuietly { queue in
            queue.tickets.isEmpty && !queue.isClosed ? queue.takeSettler() : nil
        }
    }

    private func settle(_ ticket: Ticket, with settler: Settler) {
        var settler = settler
        let settlement = settler.settle([ticket.command])
        let othersWait = queue.updateQuietly { queue in
            queue.settler = settler
            return !queue.tickets.isEmpty
        }
        if othersWait { queue.wakeWaiter() }
        tell(Settled(tickets: [ticket], settlement: settlement))
    }

    // MARK: - The thread that settles

    /// Settles commands until the lane is closed and empty.
    func settleAll() {
        while var (tickets, settler) = nextTurn() {
            while !tickets.isEmpty {
                let settlement = settler.settle(tickets.map(\.command))
                let settled = Settled(tickets: tickets, settlement: settlement)
                tickets = nextBatch(for: settler)
                if settled.tickets.count == 1 && tickets.isEmpty {
                    tell(settled)  // Nothing to do meanwhile: another thread would only cost time.
                } else {
                    desk.update { $0.settled.append(settled) }
                }
            }
        }
        desk.update { $0.isClosed = true }
    }

    private enum Next<Work> {
        case work(Work)
        case closed
    }

    /// Waits until there are commands and nobody settles.
    ///
    /// - Returns: nil when there never will be.
    private func nextTurn() -> (tickets: ArraySlice<Ticket>, settler: Settler)? {
        while true {
            let next = queue.take(withinMilliseconds: Self.tickMilliseconds) {
                queue, _ -> Next<(ArraySlice<Ticket>, Settler)>? in
                guard queue.settler != nil else { return nil }
                if queue.tickets.isEmpty { return queue.isClosed ? .closed : nil }
                return queue.takeSettler().map { .work((Self.takeBatch(&queue), $0)) }
            }
            switch next {
            case .work(let turn): return turn
            case .closed: return nil
            case nil: continue
            }
        }
    }

    /// - Returns: nothing when none waits; then the turn has ended.
    private func nextBatch(for settler: Settler) -> ArraySlice<Ticket> {
        queue.updateQuietly { queue in
            let batch = Self.takeBatch(&queue)
            if batch.isEmpty { queue.settler = settler }
            return batch
        }
    }

    private static func takeBatch(_ queue: inout Queue) -> ArraySlice<Ticket> {
        let batch = queue.tickets.prefix(batchCount(queue.tickets))
        queue.tickets.removeFirst(batch.count)
        return batch
    }

    /// How many commands make the next batch; at least one, if there is one.
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
