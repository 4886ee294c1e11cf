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
        /// The command was not carried out, and would not be tomorrow: by a mistake of ours, or because
        /// the database has what it should not.
        case defect(cause: String)
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

    public typealias Result = Swift.Result<Outcome, Failure>
    public typealias Continuation = @Sendable (Result) -> Void

    private let lanes: [Lane]
    private let threads: [WorkerThread]
    /// Settles the commands of callers, where there are no lanes.
    private let direct: Settler
    private let catalogue: Catalogue

    /// - Parameters:
    ///   - pool: with a connection for each lane, or for each caller where there are none.
    ///   - queuedMax: commands that may wait in each lane.
    init(
        _ strategy: Strategy, pool: Pool, catalogue: Catalogue, renderer: Renderer, queuedMax: Int
    ) {
        let measurements = LedgerMeasurements()
        let settler = Settler(
            pool: pool, renderer: renderer, measurements: measurements,
            patience: strategy.patience)
        let lanes = (0..<strategy.laneCount).map { _ in
            Lane(
                queuedMax: queuedMax, settler: settler, measurements: measurements,
                refresh: catalogue.refresh)
        }
        threads = lanes.flatMap { lane in
            [
                WorkerThread { lane.settleAll() },
                WorkerThread { lane.tellAll() },
            ]
        }
        direct = settler
        self.lanes = lanes
        self.catalogue = catalogue
    }

    /// Carries out a command, on its caller's thread if no other waits, and otherwise together with
    /// others.
    ///
    /// - Parameters:
    ///   - beforeBlocking: called if this thread is about to wait for the commit.
    ///   - then: called once, on any thread, when the outcome is durable and every reader sees it.
    ///     What it does, others wait for.
    public func submit(
        _ command: Command, beforeBlocking: () -> Void = {}, then: @escaping Continuation
    ) {
        guard let lane = lane(for: command) else {
            beforeBlocking()
            return then(settleDirectly(command))
        }
        if !lane.add(command, beforeBlocking: beforeBlocking, then: then) {
            then(.failure(.overloaded))
        }
    }

    /// Carries out a command. Blocks until its outcome is durable and every reader sees it.
    public func submit(_ command: Command) throws(Failure) -> Outcome {
        let answer = Monitor<Result?>(nil)
        submit(command) { result in answer.update { $0 = result } }
        // The ledger's own time-outs end long before.
        let result = answer.take(withinMilliseconds: 60_000) { result, _ in result }
        guard let result else { throw .unknown(cause: "the ledger does not answer") }
        return try result.get()
    }

    /// Commands that wait at this moment, in all lanes.
    public var queuedCount: Int { lanes.reduce(0) { $0 + $1.queuedCount } }

    /// Takes no more commands, and settles those that wait.
    public func close() {
        for lane in lanes { lane.close() }
        for thread in threads { thread.join() }
    }

    private func settleDirectly(_ command: Command) -> Result {
        var settler = direct
        let settled = settler.settle([command])
        catalogue.refresh(settled.products)
        return settled.results[0]
    }

    /// Commands of one product meet in one lane, so lanes seldom race each other. What is in an
    /// order to be canceled is not known here: its user's lane takes it.
    private func lane(for command: Command) -> Lane? {
        guard !lanes.isEmpty else { return nil }
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
