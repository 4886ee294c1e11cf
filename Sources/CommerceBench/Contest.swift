import ArgumentParser
import FoundationEssentials
import Glibc
import MariaDB
import Synchronization
import Threads

/// One process's share of a race, told by `commerce-bench locks` when to begin.
///
/// Says on its standard output, with an empty line, that it has warmed up; begins when it reads a
/// line; then writes a ``ContestReport`` as JSON.
struct Contest: ParsableCommand {
    static let configuration = CommandConfiguration(shouldDisplay: false)

    @Option var strategy: StrategyKind
    @Option(help: "Buyers at a time.") var clients: Int
    @Option(help: "Orders to place.") var orders: Int
    @Option(help: "Seconds after which no order is begun.") var seconds: Int
    @Option(help: "The turn of the first buyer.") var firstTurn: Int

    /// Orders that each buyer places before the race, so that connections and statements are there.
    private static let warmUpOrders = 3

    func run() throws {
        let servers = try Servers()
        let crowd = Crowd(strategy.make(servers), self)
        let threads = (0..<clients).map { place in
            WorkerThread { crowd.take(part: place, servers) }
        }
        crowd.awaitWarm(clients)
        print()
        fflush(nil)
        guard readLine() != nil else { throw BenchError("nobody started the race") }
        crowd.start(clients)
        for thread in threads { thread.join() }
        let report = try JSONEncoder().encode(crowd.report)
        print(String(decoding: report, as: UTF8.self))
    }

    /// The buyers of this process.
    private final class Crowd: Sendable {
        private let strategy: any LockStrategy
        private let contest: (orders: Int, firstTurn: Int, nanoseconds: Int)
        private let taken = Atomic<Int>(0)
        private let warmCount = Monitor(0)
        private let startTime = Monitor<Int?>(nil)
        private let total = Mutex(ContestReport())
        private let effortBefore = Mutex(Effort())

        /// How long anybody waits for the others, much longer than a warm-up takes.
        private static let patienceMilliseconds = 120_000

        init(_ strategy: any LockStrategy, _ contest: Contest) {
            self.strategy = strategy
            self.contest = (
                contest.orders, contest.firstTurn, contest.seconds * 1_000_000_000
            )
        }

        func awaitWarm(_ clients: Int) {
            let all = warmCount.take(withinMilliseconds: Self.patienceMilliseconds) { count, _ in
                count == clients ? true : nil
            }
            precondition(all == true, "the buyers did not get warm")
            effortBefore.withLock { $0 = strategy.effort }
        }

        func start(_ clients: Int) {
            let now = nanosecondsNow()
            for _ in 0..<clients { startTime.update { $0 = now } }  // Each wakes one.
        }

        var report: ContestReport {
            var report = total.withLock { $0 }
            report.effort = strategy.effort - effortBefore.withLock { $0 }
            return report
        }

        /// The whole life of one buyer's thread.
        func take(part place: Int, _ servers: Servers) {
            do {
                let connection = try Connection(to: servers.database)
                for turn in 0..<Contest.warmUpOrders {
                    let user = Ground.user(contest.firstTurn + Contest.warmUpOrders * place + turn)
                    let product = Ground.quietProduct(contest.firstTurn + place)
                    _ = try strategy.buy(Purchase(user: user, product: product), on: connection)
                }
                warmCount.update { $0 += 1 }
                let start = startTime.take(withinMilliseconds: Self.patienceMilliseconds) {
                    time, _ in
                    time
                }
                guard let start else { throw BenchError("the race did not begin") }
                let own = race(from: start, on: connection)
                total.withLock { $0.add(own) }
            } catch {
                fatalError("a buyer could not take part: \(error)")
            }
        }

        private func race(from start: Int, on connection: Connection) -> ContestReport {
            var report = ContestReport(start: start)
            while true {
                let turn = taken.wrappingAdd(1, ordering: .relaxed).oldValue
                let begin = nanosecondsNow()
                guard turn < contest.orders, begin - start < contest.nanoseconds else { break }
                let user = Ground.user(contest.firstTurn + turn)
                let purchase = Purchase(user: user, product: Ground.hotProduct)
                let sale = Result { try strategy.buy(purchase, on: connection) }
                report.note(sale, begin: begin, end: nanosecondsNow())
            }
            return report
        }
    }
}
