public import Commerce
import MariaDB
import Threads

/// Carries out commands: every change of points or stock goes through here.
public final class Ledger: Sendable {
    /// Why a command has no outcome.
    public enum Failure: Error, Sendable {
        /// Too many commands wait. Nothing was done.
        case overloaded
        /// The command was not carried out; the same request may be sent again.
        case notDone(cause: String)
        /// It could not be learned whether the command was carried out. Sent again with the same
        /// key it is carried out once.
        case unknown(cause: String)
    }

    /// How commands become transactions.
    public enum Strategy: Sendable, Equatable {
        /// Lanes commit waiting commands together.
        case groupCommit(lanes: Int)
        /// For comparison: a transaction a command, on its caller's thread, with version checks.
        case versionCheck
        /// For comparison: a transaction a command, on its caller's thread, with
        /// `SELECT … FOR UPDATE`.
        case forUpdate
    }

    /// The bounds of a command. Together below nginx's patience, or its client would never learn
    /// what became of it.
    private enum Limit {
        /// For a lane to take it.
        static let queueMilliseconds = 4_000
        /// For the lane to finish: more than all time-outs of a settlement together.
        static let laneMilliseconds = 30_000
    }

    private let lanes: [Lane]
    private let threads: [WorkerThread]
    /// Settles the commands of callers, where there are no lanes.
    private let direct: Settler

    /// - Parameters:
    ///   - pool: with a connection for each lane, or for each caller where there are none.
    ///   - queuedMax: commands that may wait in each lane.
    init(
        _ strategy: Strategy, pool: Pool, catalogue: Catalogue, renderer: Renderer, queuedMax: Int
    ) {
        let measurements = LedgerMeasurements()
        let settler = Settler(
            pool: pool, catalogue: catalogue, renderer: renderer, measurements: measurements,
            patience: strategy.patience)
        direct = settler
        let lanes = (0..<strategy.laneCount).map { _ in
            Lane(queuedMax: queuedMax, measurements: measurements)
        }
        threads = lanes.map { lane in WorkerThread { lane.run(settler) } }
        self.lanes = lanes
    }

    /// Carries out a command. Blocks until its outcome is durable and every reader sees it.
    public func submit(_ command: Command) throws(Failure) -> Outcome {
        guard !lanes.isEmpty else {
            var settler = direct
            return try settler.settle([command])[0].get()
        }
        let ticket = Ticket(command)
        guard lane(for: command).add(ticket) else { throw .overloaded }
        return try ticket.outcome(
            queueMilliseconds: Limit.queueMilliseconds, laneMilliseconds: Limit.laneMilliseconds)
    }

    /// Takes no more commands, and settles those that wait.
    public func close() {
        for lane in lanes { lane.close() }
        for thread in threads { thread.join() }
    }

    /// Commands of one product meet in one lane, so lanes seldom race each other.
    private func lane(for command: Command) -> Lane {
        let number = command.cart?.lines.first?.product.number ?? command.user.number
        return lanes[Int(UInt64(bitPattern: number) % UInt64(lanes.count))]
    }
}

extension Ledger.Strategy {
    fileprivate var laneCount: Int {
        switch self {
        case .groupCommit(let lanes): lanes
        case .versionCheck, .forUpdate: 0
        }
    }

    fileprivate var patience: Settler.Patience {
        var patience = Settler.Patience()
        switch self {
        case .groupCommit: break
        case .versionCheck:
            // The usual form: again, almost at once, for as long as the client waits.
            patience.attemptsMax = .max
            patience.pauseMicrosecondsMax = 2_000
            patience.attemptsByVersion = patience.attemptsMax
        case .forUpdate:
            patience.attemptsByVersion = 0
        }
        return patience
    }
}
