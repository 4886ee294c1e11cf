import Commerce
import MariaDB

/// One attempt to carry out a batch of commands: read, plan, write, commit.
struct Settlement {
    /// How a row is kept from changing between reading it and writing it.
    enum Guarding {
        /// The write demands the version that was read; a race is noticed and lost.
        case version
        /// The rows are locked as they are read; a race is waited for.
        case lock
    }

    let commands: [Command]
    let renderer: Renderer

    /// What an attempt achieved.
    struct Result {
        let outcomes: [Outcome]
        /// Touched products that are on sale, as they are now in the database.
        let products: [Product]
        /// Numbers that were drawn and not needed.
        let numbers: Numbers

        fileprivate init(_ plan: CheckoutPlan) {
            outcomes = plan.outcomes
            products = plan.writes.products.values.filter(\.isOnSale).map(\.committed)
            numbers = plan.numbers
        }
    }

    /// Thrown when it is not known whether the batch was committed.
    struct Unknown: Error {
        let cause: DatabaseError
        /// What has happened, should `proof` be found.
        let result: Result
        /// A payment of the batch: it is in the database if and only if the batch is.
        let proof: PaymentID
    }

    /// - Parameter numbers: filled up as needed; what the attempt used is only gone from the
    ///   result's.
    /// - Throws: `LostRace` or a `DatabaseError`, after which nothing has happened; ``Unknown``.
    func attempt(
        _ guarding: Guarding, on connection: Connection, drawing numbers: inout Numbers
    ) throws -> Result {
        try numbers.fill(for: commands, on: connection)
        let numbers = numbers
        switch guarding {
        case .version:
            let planned = try plan(on: connection, drawing: numbers, locking: false)
            if planned.plan.writes.isEmpty { return Result(planned.plan) }
            return try commit(on: connection) { planned }
        case .lock:
            return try commit(on: connection) {
                try plan(on: connection, drawing: numbers, locking: true)
            }
        }
    }

    /// A plan and the database's time at which its snapshot was read.
    private typealias Planned = (plan: CheckoutPlan, time: Moment?)

    private func plan(
        on connection: Connection, drawing numbers: Numbers, locking: Bool
    ) throws -> Planned {
        let (snapshot, time) = try Snapshot.read(of: commands, on: connection, locking: locking)
        return (CheckoutPlan(commands, on: snapshot, drawing: numbers), time)
    }

    private func commit(
        on connection: Connection, _ makePlan: () throws -> Planned
    ) throws -> Result {
        var latest: CheckoutPlan?
        do {
            return try connection.transaction { connection in
                let (plan, time) = try makePlan()
                latest = plan
                if let time {
                    try plan.writes.write(on: connection, at: time, renderer)
                } else {
                    precondition(plan.writes.isEmpty, "nothing changes without a user")
                }
                return Result(plan)
            }
        } catch let unknown as CommitOutcomeUnknown {
            guard let latest, let proof = latest.writes.payments.first?.id else {
                throw unknown.cause  // Nothing was written.
            }
            throw Unknown(cause: unknown.cause, result: Result(latest), proof: proof)
        }
    }
}
