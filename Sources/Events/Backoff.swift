public import Store

/// When a delivery that failed is tried again, and when it is given up.
///
/// Pure, so that it is tested without a clock and without luck.
public struct Backoff: Sendable {
    /// After the first attempt; each further pause is `factor` times as long.
    public var firstPauseMilliseconds = 5_000
    public var factor = 4
    /// Six hours, for a receiver's own wish too.
    public var pauseMillisecondsMax = 6 * 60 * 60 * 1_000
    /// With these pauses twelve attempts take 16 to 32 hours: a receiver has a day to recover.
    public var attemptsMax = 12

    public init() {}

    /// What becomes of a delivery after an attempt.
    ///
    /// - Parameters:
    ///   - attempt: which one it was, from 1.
    ///   - luck: a random number from 0 to 1.
    public func verdict(
        on result: DeliveryResult, attempt: Int, luck: Double
    ) -> Mark.Verdict {
        switch result {
        case .delivered: .delivered
        case .rejected(let cause): .dead(cause: cause)
        case .gone(let cause): .canceled(cause: cause)
        case .failed(let cause, _) where attempt >= attemptsMax: .dead(cause: cause)
        case .failed(let cause, let seconds):
            .again(
                afterMilliseconds: max(
                    pauseMilliseconds(after: attempt, luck: luck),
                    min(pauseMillisecondsMax, max(0, seconds ?? 0).saturatingProduct(1_000))),
                cause: cause)
        }
    }

    /// Half of it is random: what failed together does not come back together.
    func pauseMilliseconds(after attempt: Int, luck: Double) -> Int {
        var longest = min(firstPauseMilliseconds, pauseMillisecondsMax)
        for _ in 1..<max(1, attempt) where longest < pauseMillisecondsMax {
            longest = min(pauseMillisecondsMax, longest.saturatingProduct(factor))
        }
        return longest / 2 + Int(Double(longest - longest / 2) * min(1, max(0, luck)))
    }
}

/// A pause that grows with every failure in a row, for whoever waits for a server to come back.
struct GrowingPause: Sendable {
    let firstMilliseconds: Int
    let millisecondsMax: Int
    private var longest: Int

    init(firstMilliseconds: Int, millisecondsMax: Int) {
        self.firstMilliseconds = firstMilliseconds
        self.millisecondsMax = millisecondsMax
        longest = firstMilliseconds
    }

    /// The next one: half of it random, at most twice the last.
    mutating func next() -> Int {
        defer { longest = min(millisecondsMax, longest.saturatingProduct(2)) }
        return Int.random(in: longest / 2...longest)
    }

    /// All is well again.
    mutating func reset() { longest = firstMilliseconds }
}

extension Int {
    fileprivate func saturatingProduct(_ other: Int) -> Int {
        let (product, overflows) = multipliedReportingOverflow(by: other)
        return overflows ? .max : product
    }
}
