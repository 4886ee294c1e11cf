import Commerce
import Glibc
import MariaDB
import Threads

/// Carries batches out against everything that can come between: lost races, lost connections, a
/// COMMIT whose answer is lost, and a command that makes its batch fail.
struct Settler {
    /// How long a batch is tried.
    struct Patience {
        /// Attempts that trust in the version check. Whoever loses that many races locks the rows
        /// and so is sure to get on.
        var attemptsByVersion = 2
        var attemptsMax = 8
        /// After which no attempt begins, nor another look for what became of a COMMIT.
        var milliseconds = 3_000

        /// A pause is random between 0 and a bound that begins here and doubles each time, so that
        /// those who met once do not meet again.
        var firstPauseMicroseconds = 500
        var pauseMicrosecondsMax = 100_000

        func pause(after attempt: Int) {
            let longest = min(pauseMicrosecondsMax, firstPauseMicroseconds << min(attempt, 20))
            usleep(useconds_t(Int.random(in: 0...longest)))
        }
    }

    /// Batches that lock at once after a lost race: where there was one competitor for these rows
    /// there will be one again, and waiting for the lock costs less than losing.
    private static let batchesLockedAfterLoss = 128

    /// Attempts of a batch that end at a row with one of its keys. Before another its numbers are
    /// drawn anew, past those that are taken; more would meet the same row of somebody else's again.
    private static let duplicatesMax = 3
    /// Attempts of a batch whose session turns out to be unfit: the next may be another session.
    private static let unfitMax = 2

    private let pool: Pool
    private let renderer: Renderer
    private let measurements: LedgerMeasurements
    private let patience: Patience

    /// Drawn and not yet used. They outlive what shows that nobody else has them: a commit, and a race
    /// that was lost on the way there. After any other error they are drawn anew, since the writer may
    /// be another server by then, or a restored one.
    private var numbers = Numbers()
    private var batchesToLock = 0

    init(
        pool: Pool, renderer: Renderer, measurements: LedgerMeasurements,
        patience: Patience = Patience()
    ) {
        self.pool = pool
        self.renderer = renderer
        self.measurements = measurements
        self.patience = patience
    }

    /// Why a batch has no outcomes.
    private struct Unsettled: Error {
        let failure: Ledger.Failure
        /// Whether one of the commands may be to blame, so that the others would pass without it.
        var mayBeOneCommands = false
    }

    /// What became of a batch.
    struct Settled {
        /// One a command, in order. All outcomes are durable.
        var results: [Ledger.Result] = []
        /// The products that changed, as they are now.
        var products: [Product] = []
    }

    /// Settles a batch.
    mutating func settle(_ commands: [Command]) -> Settled {
        let start = ContinuousClock.now
        do throws(Unsettled) {
            let result = try settle(Settlement(commands: commands, renderer: renderer))
            measurements.settled(commands.count, in: start.duration(to: .now))
            return Settled(
                results: result.outcomes.map(Ledger.Result.success), products: result.products)
        } catch {
            guard error.mayBeOneCommands, commands.count > 1 else {
                return Settled(results: commands.map { _ in .failure(error.failure) })
            }
            return commands.reduce(into: Settled()) { all, command in
                let one = settle([command])
                all.results += one.results
                all.products += one.products
            }
        }
    }

    private mutating func settle(
        _ settlement: Settlement
    ) throws(Unsettled) -> Settlement.Result {
        let deadline = MonotonicTime.now.advanced(byMilliseconds: patience.milliseconds)
        var attempt = 1
        var setbacks: [DatabaseError.Kind: Int] = [:]
        while true {
            let cause: String
            do {
                let result = try pool.withConnection { [guarding = guarding(attempt)] connection in
                    try settlement.attempt(guarding, on: connection, drawing: &numbers)
                }
                numbers = result.numbers
                batchesToLock = max(0, batchesToLock - 1)
                return result
            } catch let unknown as Settlement.Unknown {
                if let result = try resolve(unknown) { return result }
                cause = "a COMMIT was lost"
            } catch {
                try note(error, after: &setbacks)
                cause = "\(error)"
            }
            guard attempt < patience.attemptsMax, .now < deadline else {
                throw Unsettled(
                    failure: .notDone(cause: "given up after \(attempt) attempts: \(cause)"))
            }
            patience.pause(after: attempt)
            attempt += 1
            measurements.retried()
        }
    }

    private func guarding(_ attempt: Int) -> Settlement.Guarding {
        attempt > patience.attemptsByVersion || batchesToLock > 0 ? .lock : .version
    }

    /// Returns when another attempt may help: after a lost race; after a lost or unfit session, since
    /// a new one may work; after a number that was taken, since there are others. A row that stays
    /// locked is somebody else's doing: only the commands that want it may suffer from that.
    private mutating func note(
        _ error: any Error, after setbacks: inout [DatabaseError.Kind: Int]
    ) throws(Unsettled) {
        if let error = error as? DatabaseError, error.isLockTimeout {
            throw Unsettled(failure: .notDone(cause: "\(error)"), mayBeOneCommands: true)
        }
        let kind = error is LostRace ? .lostRace : (error as? DatabaseError)?.kind ?? .other
        setbacks[kind, default: 0] += 1
        let count = setbacks[kind] ?? 0
        switch kind {
        case .lostRace:
            measurements.conflicted()
            if patience.attemptsByVersion < patience.attemptsMax {
                batchesToLock = Self.batchesLockedAfterLoss
            }
        case .connectionLost: numbers = Numbers()
        case .duplicateKey where count < Self.duplicatesMax: try passTakenNumbers()
        case .sessionUnfit where count < Self.unfitMax: numbers = Numbers()
        case .sessionUnfit, .unavailable, .busy:
            numbers = Numbers()
            throw Unsettled(failure: .notDone(cause: "\(error)"))
        case .duplicateKey, .refused, .other:
            numbers = Numbers()
            throw Unsettled(failure: .defect(cause: "\(error)"), mayBeOneCommands: true)
        }
    }

    /// Some of the numbers are in the database already, and where they are there may be more: after a
    /// backup was restored or another server took over, thousands.
    private mutating func passTakenNumbers() throws(Unsettled) {
        let drawn = numbers
        numbers = Numbers()
        do {
            try pool.withConnection { connection in try drawn.passTaken(on: connection) }
        } catch {
            throw Unsettled(failure: .notDone(cause: "passing taken numbers: \(error)"))
        }
    }

    // MARK: - A COMMIT whose answer is lost

    /// Finds out what became of it.
    ///
    /// - Returns: the batch's result, if it was committed; nil if it certainly was not and will
    ///   not be.
    private mutating func resolve(
        _ unknown: Settlement.Unknown
    ) throws(Unsettled) -> Settlement.Result? {
        measurements.lostCommitAnswer()
        let deadline = MonotonicTime.now.advanced(byMilliseconds: patience.milliseconds)
        var attempt = 1
        while .now < deadline {
            do {
                let isThere = try pool.withConnection { connection in
                    try Self.isCommitted(unknown.proof, on: connection)
                }
                numbers = isThere ? unknown.result.numbers : Numbers()
                return isThere ? unknown.result : nil
            } catch {
                patience.pause(after: attempt)
                attempt += 1
            }
        }
        numbers = Numbers()  // Those that were drawn may be taken.
        throw Unsettled(failure: .unknown(cause: "\(unknown.cause)"))
    }

    /// The old session may still be at work. Its rows are locked until it ends, so a locking read
    /// of one of them waits for the truth.
    private static func isCommitted(
        _ proof: PaymentID, on connection: Connection
    ) throws -> Bool {
        let found = try connection.query(
            "SELECT 1 FROM payment_history WHERE id = ? LOCK IN SHARE MODE",
            [.integer(proof.number)]
        ) { row throws(DatabaseError) in try row.integer(0) }
        return !found.isEmpty
    }
}
