public import Commerce
import Glibc
import MariaDB

/// Carries out commands: every change of points or stock goes through here.
public final class Ledger: Sendable {
    /// Why a command has no outcome.
    public enum Failure: Error, Sendable {
        /// The command was not carried out; the same request may be sent again.
        case notDone(cause: String)
        /// It could not be learned whether the command was carried out. Sent again with the same
        /// key it is carried out once.
        case unknown(cause: String)
    }

    /// The bounds of one command.
    private enum Limit {
        /// Attempts that trust in the version check. Whoever loses that many races locks the rows
        /// and so is sure to get on.
        static let attemptsByVersion = 3
        static let attempts = 8
        /// Pauses are random between 0 and this, doubled each time up to the maximum, so that those
        /// who met once do not meet again.
        static let firstPauseMicroseconds = 1_000
        static let pauseMicrosecondsMax = 100_000
    }

    private let pool: Pool
    private let catalogue: Catalogue
    private let renderer: Renderer

    init(pool: Pool, catalogue: Catalogue, renderer: Renderer) {
        self.pool = pool
        self.catalogue = catalogue
        self.renderer = renderer
    }

    /// Carries out a command. Blocks until its outcome is durable and visible to every reader.
    public func submit(_ command: Command) throws(Failure) -> Outcome {
        let settlement = Settlement(commands: [command], renderer: renderer)
        let result = try settle(settlement)
        catalogue.refresh(result.products)
        return result.outcomes[0]
    }

    private func settle(_ settlement: Settlement) throws(Failure) -> Settlement.Result {
        var numbers = Numbers()
        var attempt = 1
        while true {
            do {
                let guarding = Self.guarding(attempt)
                return try pool.withConnection { connection in
                    try settlement.attempt(guarding, on: connection, drawing: &numbers)
                }
            } catch let unknown as Settlement.Unknown {
                if try wasCommitted(unknown) { return unknown.result }
            } catch {
                guard attempt < Limit.attempts, Self.mayBeTriedAgain(error) else {
                    throw .notDone(cause: "\(error)")
                }
            }
            guard attempt < Limit.attempts else { throw .notDone(cause: "too many lost races") }
            Self.pause(after: attempt)
            attempt += 1
        }
    }

    private static func guarding(_ attempt: Int) -> Settlement.Guarding {
        attempt <= Limit.attemptsByVersion ? .version : .lock
    }

    /// Races are run again; so is what a broken connection interrupted, since a new one may work.
    private static func mayBeTriedAgain(_ error: any Error) -> Bool {
        if error is LostRace { return true }
        return switch (error as? DatabaseError)?.kind {
        case .lostRace, .connectionLost: true
        case .duplicateKey, .unavailable, .refused, .busy, .other, nil: false
        }
    }

    private static func pause(after attempt: Int) {
        let longest = min(
            Limit.pauseMicrosecondsMax, Limit.firstPauseMicroseconds << attempt)
        usleep(useconds_t(Int.random(in: 0...longest)))
    }

    /// Finds out what became of a COMMIT whose answer was lost.
    ///
    /// The old session may still be at work. Its rows are locked until it ends, so a locking read
    /// of one of them waits for the truth.
    private func wasCommitted(_ unknown: Settlement.Unknown) throws(Failure) -> Bool {
        for attempt in 1...Limit.attempts {
            do {
                return try pool.withConnection { connection in
                    let found = try connection.query(
                        "SELECT 1 FROM payment_history WHERE id = ? LOCK IN SHARE MODE",
                        [.integer(unknown.proof.number)]
                    ) { row throws(DatabaseError) in try row.integer(0) }
                    return !found.isEmpty
                }
            } catch {
                Self.pause(after: attempt)
            }
        }
        throw .unknown(cause: "\(unknown.cause)")
    }
}
