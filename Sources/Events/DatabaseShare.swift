import Glibc
import Synchronization

/// A worker's share of the database: orders come first.
///
/// The worker's threads take turns at it, and after each turn leave it alone for a multiple of what
/// the turn took. So a worker keeps one session busy for half of the time at most, however many
/// targets there are, and for much less where the database has much to do. Being nice would not do:
/// the work is the server's.
final class DatabaseShare: Sendable {
    private struct State {
        /// When the last rest ends.
        var restEnd = ContinuousClock.now
        var rests: Rests
    }

    /// Held during a turn and the rest before it.
    private let state: Mutex<State>

    /// - Parameter longestRest: however slow the database is. Marks wait for as long, and must not
    ///   miss the end of their lease by it.
    init(longestRest: Duration) {
        state = Mutex(State(rests: Rests(longest: longestRest)))
    }

    /// Waits until it is the caller's turn, which ends with `work`.
    ///
    /// - Parameter rows: how many the turn has written, from what `work` returns.
    func turn<T>(
        rows: (borrowing T) -> Int = { _ in 0 }, _ work: () throws -> sending T
    ) rethrows -> sending T {
        try state.withLock { state in
            let rest = ContinuousClock.now.duration(to: state.restEnd)
            if rest > .zero { usleep(useconds_t(rest / .microseconds(1))) }
            let start = ContinuousClock.now
            var count = 0
            defer {
                let now = ContinuousClock.now
                state.restEnd = now.advanced(
                    by: state.rests.next(after: start.duration(to: now), rows: count))
            }
            let result = try work()
            count = rows(result)
            return result
        }
    }
}

/// How long to rest after each turn.
///
/// As long as the turn took, times the fourth power of how much slower the database is than it has
/// been: where a turn takes twice as long for each row as the quickest did, there are others, which
/// are orders, and the rest is sixteen times the turn. Without a clock, so that it can be tested.
struct Rests {
    /// Turns of fewer rows are mostly the disk's, and say little.
    static let rowsMin = 200
    /// However slow it is; and a turn that waited for a lock was no work.
    private let longest: Duration
    /// What the quickest turn counts for after another one: in thousands of turns it is forgotten,
    /// as tables grow.
    private static let fading = 1.000_1
    /// A single turn counts for no more: it may have been stopped altogether.
    private static let slownessMax = 4.0
    /// Of the last turn in ``slowness``.
    private static let weight = 0.2

    /// Seconds a row.
    private var quickest = Double.infinity
    /// How many times as long as the quickest turn the last turns took, for each row.
    private(set) var slowness = 1.0

    init(longest: Duration) { self.longest = longest }

    mutating func next(after turn: Duration, rows: Int) -> Duration {
        if rows >= Self.rowsMin {
            let pace = turn / .seconds(1) / Double(rows)
            quickest = min(quickest * Self.fading, pace)
            slowness += Self.weight * (min(pace / quickest, Self.slownessMax) - slowness)
        }
        let square = slowness * slowness
        return min(turn * (square * square), longest)
    }
}
