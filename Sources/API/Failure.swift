import FastCGI
import MariaDB
import Store

/// Why a request has no success: a general sentence for the client, the cause for the log.
struct Failure {
    let problem: Problem
    /// Nil where the problem says it all.
    let cause: String?
    /// Whether an operator wants to read of it.
    let isWorthALine: Bool

    init(_ error: any Error) {
        if let problem = error as? Problem {
            self.init(problem, cause: nil, isWorthALine: false)
        } else if case Ledger.Failure.overloaded = error {
            self.init(.busy, cause: "the ledger's queue is full", isWorthALine: false)
        } else {
            self.init(Self.problem(for: error), cause: "\(error)", isWorthALine: true)
        }
    }

    private init(_ problem: Problem, cause: String?, isWorthALine: Bool) {
        self.problem = problem
        self.cause = cause
        self.isWorthALine = isWorthALine
    }

    private static func problem(for error: any Error) -> Problem {
        switch error {
        case Ledger.Failure.notDone: .busy
        case Ledger.Failure.unknown: .outcomeUnknown
        case Ledger.Failure.defect: .internalError
        case let error as DatabaseError: error.kind.isDefect ? .internalError : .busy
        default: .internalError
        }
    }
}
