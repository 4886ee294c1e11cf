import Commerce
import Glibc

/// What the buyers of one process, or of all, went through.
struct ContestReport: Codable {
    /// On the clock that all processes share.
    var start = Int.max
    var end = 0
    /// Numbers of the orders that were answered.
    var orders: [Int64] = []
    var soldOut = 0
    var failures: [String: Int] = [:]
    /// Of every answer, the refusals and the failures too.
    var microseconds: [Int] = []
    var effort = Effort()

    var failureCount: Int { failures.values.reduce(0, +) }
    var milliseconds: Double { Double(end - start) / 1e6 }
    var ordersPerSecond: Double { Double(orders.count) / milliseconds * 1_000 }

    mutating func note(_ sale: Result<Sale, any Error>, begin: Int, end: Int) {
        switch sale {
        case .success(.sold(let id)): orders.append(id.number)
        case .success(.soldOut): soldOut += 1
        case .failure(let error): failures["\(error)", default: 0] += 1
        }
        microseconds.append((end - begin) / 1_000)
        self.end = end
    }

    mutating func add(_ other: ContestReport) {
        start = min(start, other.start)
        end = max(end, other.end)
        orders += other.orders
        soldOut += other.soldOut
        failures.merge(other.failures, uniquingKeysWith: +)
        microseconds += other.microseconds
        effort = effort + other.effort
    }

    /// Milliseconds that this share of the answers did not exceed.
    func percentile(_ share: Double) -> Double {
        guard !microseconds.isEmpty else { return 0 }
        let sorted = microseconds.sorted()
        let rank = Int((Double(sorted.count) * share).rounded(.up)) - 1
        return Double(sorted[max(0, rank)]) / 1_000
    }
}

/// Of the monotonic clock, which all processes share.
func nanosecondsNow() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
