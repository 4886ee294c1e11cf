import Glibc
import Threads

/// Thrown by a caller whose version check failed: another transaction changed the row first.
public struct LostRace: Error, Sendable, Equatable {
    /// A lost race.
    public init() {}
}

/// How often and how long a lost race is run again.
public struct RetryLimits: Sendable {
    /// Attempts in total, the first included.
    public var attemptsMax: Int
    /// Milliseconds after which no further attempt begins: a client waits for the answer.
    public var deadlineMilliseconds: Int
    /// Microseconds of the longest first pause; it doubles with every attempt.
    public var firstPauseMicroseconds: Int
    /// Microseconds that no pause exceeds.
    public var pauseMicrosecondsMax: Int

    /// Eight attempts in two seconds: a race lost eight times means overload, for which the
    /// answer is 503, not more load. Pauses begin at the length of a transaction.
    public init(
        attemptsMax: Int = 8, deadlineMilliseconds: Int = 2_000,
        firstPauseMicroseconds: Int = 2_000, pauseMicrosecondsMax: Int = 200_000
    ) {
        precondition(attemptsMax > 0 && firstPauseMicroseconds >= 0)
        self.attemptsMax = attemptsMax
        self.deadlineMilliseconds = deadlineMilliseconds
        self.firstPauseMicroseconds = firstPauseMicroseconds
        self.pauseMicrosecondsMax = pauseMicrosecondsMax
    }

    /// The longest pause after an attempt, counted from 1. The pause itself is random between 0
    /// and this (full jitter), so that those who met once do not meet again.
    func longestPauseMicroseconds(afterAttempt attempt: Int) -> Int {
        let doublings = min(attempt - 1, 20)  // Far above any pause; more would overflow.
        return min(pauseMicrosecondsMax, firstPauseMicroseconds << doublings)
    }
}

/// Runs `body` again while it throws a lost race: ``LostRace``, or a ``DatabaseError`` of that kind.
///
/// `body` is the whole transaction, reading included, and gets the number of its attempt, from 1;
/// it takes its connection inside, so that none is held through a pause.
/// Throws any other error at once, and the last lost race when the limits are reached.
public func withRetries<T>(
    _ limits: RetryLimits = RetryLimits(), _ body: (_ attempt: Int) throws -> T
) throws -> T {
    let deadline = MonotonicTime.now.advanced(byMilliseconds: limits.deadlineMilliseconds)
    var attempt = 1
    while true {
        do {
            return try body(attempt)
        } catch {
            let mayTry = attempt < limits.attemptsMax && .now < deadline
            guard error.isLostRace && mayTry else { throw error }
            let pause = limits.longestPauseMicroseconds(afterAttempt: attempt)
            usleep(useconds_t(Int.random(in: 0...pause)))
            attempt += 1
        }
    }
}

extension Error {
    /// Whether running the transaction again may help.
    fileprivate var isLostRace: Bool {
        self is LostRace || (self as? DatabaseError)?.kind == .lostRace
    }
}
