import Glibc
import MariaDB
import Synchronization
import Threads

/// Runs transactions again while they lose races, and counts how often that was.
final class Attempts: Sendable {
    /// As long as a client would wait.
    private static let milliseconds = 10_000
    /// Of a random pause between two attempts: about a transaction's length.
    private static let pauseMicrosecondsMax = 2_000

    private let conflictCount = Atomic<Int>(0)
    private let retryCount = Atomic<Int>(0)

    /// Races that were lost.
    var conflicts: Int { conflictCount.load(ordering: .relaxed) }
    /// Transactions that were run again.
    var retries: Int { retryCount.load(ordering: .relaxed) }

    /// - Throws: the last lost race when the time is over; anything else at once.
    func run<T>(_ body: () throws -> T) throws -> T {
        let deadline = MonotonicTime.now.advanced(byMilliseconds: Self.milliseconds)
        while true {
            do {
                return try body()
            } catch {
                guard error is LostRace || (error as? DatabaseError)?.kind == .lostRace else {
                    throw error
                }
                conflictCount.wrappingAdd(1, ordering: .relaxed)
                guard .now < deadline else { throw error }
            }
            usleep(useconds_t(Int.random(in: 0...Self.pauseMicrosecondsMax)))
            retryCount.wrappingAdd(1, ordering: .relaxed)
        }
    }
}
