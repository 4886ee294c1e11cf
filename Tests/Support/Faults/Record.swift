import Synchronization

/// All that the clients know of one key: what was asked under it, and what they were told.
struct Record: Sendable {
    struct Attempt: Sendable {
        let command: Command
        let began: ContinuousClock.Instant
        let ended: ContinuousClock.Instant
        let outcome: Outcome
        /// Made to learn what became of the attempts before it.
        let isResolving: Bool
    }

    let key: Command.Key
    /// The command first asked for, and then others under the same key.
    var commands: [Command]
    var attempts: [Attempt] = []

    /// The command that took effect, with its answer.
    var accepted: (command: Command, body: [UInt8])? {
        for attempt in attempts {
            if case .accepted(let body, _) = attempt.outcome { return (attempt.command, body) }
        }
        return nil
    }

    /// The commands of which nobody knows yet whether they have happened. A refusal amid the storm
    /// does not tell: an earlier attempt may still have been on its way.
    var unresolved: [Command] {
        guard accepted == nil else { return [] }
        return commands.filter { command in
            let of = attempts.filter { $0.command == command }
            return of.contains { $0.outcome.isUncertain }
                && !of.contains { $0.isResolving && $0.outcome.isDefinite }
        }
    }
}

/// What the clients of a run know.
final class Records: Sendable {
    private let records = Mutex<[Command.Key: Record]>([:])

    var all: [Record] { records.withLock { Array($0.values) } }

    subscript(key: Command.Key) -> Record? { records.withLock { $0[key] } }

    func begin(_ command: Command) {
        records.withLock { records in
            var record = records[command.key] ?? Record(key: command.key, commands: [])
            if !record.commands.contains(command) { record.commands.append(command) }
            records[command.key] = record
        }
    }

    func add(_ attempt: Record.Attempt) {
        records.withLock { $0[attempt.command.key]?.attempts.append(attempt) }
    }
}
