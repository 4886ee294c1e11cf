import Commerce
import Threads

/// One command on its way through a lane.
final class Ticket: Sendable {
    typealias Result = Swift.Result<Outcome, Ledger.Failure>

    private enum State {
        case waiting
        case taken
        /// The caller has given up before a lane took the command.
        case withdrawn
        case answered(Result)

        var result: Result? {
            if case .answered(let result) = self { result } else { nil }
        }
    }

    let command: Command
    private let state = Monitor(State.waiting)

    init(_ command: Command) {
        self.command = command
    }

    /// Called by the lane, once, before it begins with the command.
    ///
    /// - Returns: false when the command was withdrawn.
    func take() -> Bool {
        state.update { state in
            guard case .waiting = state else { return false }
            state = .taken
            return true
        }
    }

    /// Called by the lane, once, when the outcome is durable.
    func answer(_ result: Result) {
        state.update { $0 = .answered(result) }
    }

    /// Waits for the outcome. A command that no lane has taken in time is withdrawn: it has no
    /// effect and never will. Once taken, its outcome is awaited, because only that is true.
    ///
    /// - Parameters:
    ///   - queueMilliseconds: for a lane to take it.
    ///   - laneMilliseconds: for the lane to finish, longer than all its own time-outs together.
    func outcome(
        queueMilliseconds: Int, laneMilliseconds: Int
    ) throws(Ledger.Failure) -> Outcome {
        if let result = result(within: queueMilliseconds) { return try result.get() }
        if withdraw() { throw .notDone(cause: "no lane took the command in time") }
        if let result = result(within: laneMilliseconds) { return try result.get() }
        throw .unknown(cause: "the lane did not finish in time")
    }

    private func result(within milliseconds: Int) -> Result? {
        state.take(withinMilliseconds: milliseconds) { state, _ in state.result }
    }

    private func withdraw() -> Bool {
        state.update { state in
            guard case .waiting = state else { return false }
            state = .withdrawn
            return true
        }
    }
}
