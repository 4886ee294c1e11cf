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
            let plan = try plan(on: connection, drawing: numbers, locking: false)
            if plan.writes.isEmpty { return Result(plan) }
            return try commit(on: connection) { plan }
        case .lock:
            return try commit(on: connection) {
                try plan(on: connection, drawing: numbers, locking: true)
            }
        }
    }

    private func plan(
        on connection: Connection, drawing numbers: Numbers, locking: Bool
    ) throws -> CheckoutPlan {
        let snapshot = try Snapshot(of: commands, on: connection, locking: locking)
        return CheckoutPlan(commands, on: snapshot, drawing: numbers)
    }

    private func commit(
        on connection: Connection, _ makePlan: () throws -> CheckoutPlan
    ) throws -> Result {
        var planned: CheckoutPlan?
        do {
            return try connection.transaction { connection in
                let plan = try makePlan()
                planned = plan
                try plan.writes.write(on: connection, renderer)
                return Result(plan)
            }
        } catch let unknown as CommitOutcomeUnknown {
            guard let planned, let proof = planned.writes.payments.first?.id else {
                throw unknown.cause  // Nothing was written.
            }
            throw Unknown(cause: unknown.cause, result: Result(planned), proof: proof)
        }
    }
}
