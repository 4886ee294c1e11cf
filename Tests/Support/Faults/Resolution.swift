import Glibc
import ShopParts

/// Makes the clients certain: sends what nobody knows the outcome of again, under the same key.
struct Resolution {
    /// A process that was killed leaves its keys marked as in progress for up to 20 s.
    private static let definiteSeconds = 60.0
    private static let pauseMilliseconds: UInt32 = 250
    private static let threads = 6

    let crowd: Crowd
    /// Commands whose outcome was unknown, and how many of them had happened.
    private(set) var unknown = 0
    private(set) var hadHappened = 0
    /// Commands that never got a definite answer.
    private(set) var wrong: [String] = []

    init(of crowd: Crowd) { self.crowd = crowd }

    /// Resolves all commands with a key. Those without one stay as they are.
    mutating func run() throws {
        let crowd = crowd
        let pending = crowd.records.all.filter { !$0.unresolved.isEmpty }
            .sorted { $0.key.name < $1.key.name }
        let keyless = pending.count { !$0.commands[0].hasKey }
        let keyed = pending.filter { $0.commands[0].hasKey }
        let ends = try inParallel(keyed.count, threads: Self.threads, crowd.newClient) {
            client, index in Self.resolve(keyed[index], in: crowd, over: client)
        }
        unknown = keyed.count + keyless
        hadHappened = ends.count { $0 == .hadHappened }
        for (record, end) in zip(keyed, ends) where end == .none {
            wrong.append("\(record.key): no definite answer")
        }
    }

    private enum End { case hadHappened, hadNot, none }

    private static func resolve(_ record: Record, in crowd: Crowd, over client: Client) -> End {
        for command in record.unresolved {
            guard let outcome = ask(command, "resolver", in: crowd, over: client) else {
                return .none
            }
            if case .accepted(_, let isReplayed) = outcome {
                return isReplayed ? .hadHappened : .hadNot
            }
        }
        return .hadNot
    }

    /// Sends every command that was accepted under a key once more: each has to be replayed.
    func replayAll() throws {
        let crowd = crowd
        let accepted = crowd.records.all.compactMap { record -> Command? in
            guard let accepted = record.accepted, record.commands[0].hasKey else { return nil }
            return accepted.command
        }
        _ = try inParallel(accepted.count, threads: Self.threads, crowd.newClient) {
            client, index in
            _ = Self.ask(accepted[index], "replayer", in: crowd, over: client)
        }
    }

    /// Sends a command until the answer is definite; nil when it never is.
    private static func ask(
        _ command: Command, _ name: String, in crowd: Crowd, over client: Client
    ) -> Outcome? {
        eventually(within: definiteSeconds, pauseMilliseconds: pauseMilliseconds) {
            let outcome = crowd.send(command, as: name, over: client, isResolving: true)
            return outcome.isDefinite ? outcome : nil
        }
    }
}
