import FoundationEssentials
import Glibc
import MariaDB
import ShopParts
import Synchronization

/// Clients that order without a pause, each time for somebody else, and the times of all answers.
private final class Buyers: Sendable {
    struct Answered: Sendable {
        let at: ContinuousClock.Instant
        let milliseconds: Double
        let isConfirmed: Bool
    }

    /// Between two attempts of a client that was refused.
    private static let pauseMilliseconds: UInt32 = 5

    private let answers = Shared<[Answered]>([])
    private let isOver = Atomic<Bool>(false)
    private let port: UInt16
    private let threads = Shared<[TestThread]>([])

    init(_ count: Int, at port: UInt16) {
        self.port = port
        let threads = (0..<count).map { number in TestThread { self.buy(number) } }
        self.threads.withLock { $0 = threads }
    }

    func stop() {
        isOver.store(true, ordering: .relaxed)
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    /// What was answered in between.
    func answered(
        from start: ContinuousClock.Instant, to end: ContinuousClock.Instant
    ) -> [Answered] {
        answers.withLock { $0.filter { start <= $0.at && $0.at < end } }
    }

    func firstConfirmed(after moment: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        answers.withLock { $0.filter { $0.isConfirmed && $0.at > moment }.map(\.at).min() }
    }

    private func buy(_ number: Int) {
        let client = Client(port: port)
        var count = number
        while !isOver.load(ordering: .relaxed) {
            count += 1
            let command = Command.order(
                "buyer", user: 2 + count % 99,
                lines: [.init(product: 101 + count % 4, quantity: 1)],
                payment: 2_000, hasKey: false)
            let began = ContinuousClock.now
            let status = (try? client.post(command.path, command.body))?.status
            let ended = ContinuousClock.now
            let answered = Answered(
                at: ended, milliseconds: began.duration(to: ended) / .milliseconds(1),
                isConfirmed: status == 200)
            answers.withLock { $0.append(answered) }
            if status != 200 { usleep(Self.pauseMilliseconds * 1_000) }
        }
    }
}

extension ShopUnderFaults {
    /// Nobody runs out of points, as long as anybody measures.
    fileprivate func makeRich() throws {
        try database.connect().execute("UPDATE users SET point = 1000000000000")
    }
}

/// How soon a shop sells again after MariaDB was killed, with no restart of anything else.
package struct RestartFigure: Sendable {
    private static let clients = 4
    private static let sellsAgainSeconds = 60.0

    /// From the moment that MariaDB takes a connection to the first order that is confirmed, for each
    /// restart.
    package let seconds: [Double]

    package var mean: Double { seconds.reduce(0, +) / Double(seconds.count) }

    package init(restarts: Int, folder: String, receiverCommand: [String]) throws {
        let shop = try ShopUnderFaults(
            in: folder, receiverCommand: receiverCommand, isMeasured: true)
        defer { shop.stop() }
        try shop.makeRich()
        let buyers = Buyers(Self.clients, at: shop.port)
        defer { buyers.stop() }
        seconds = try (1...restarts).map { _ in try Self.restart(shop, buyers) }
    }

    private static func restart(_ shop: ShopUnderFaults, _ buyers: Buyers) throws -> Double {
        let begun = ContinuousClock.now
        guard
            eventually(within: sellsAgainSeconds, { buyers.firstConfirmed(after: begun) }) != nil
        else { throw Failure("nothing is sold") }
        let mariadb = shop["mariadbd"]
        mariadb.kill()
        let socket = "\(shop.folder)/mariadb.sock"
        unlink(socket)  // Of the dead one.
        let watcher = Beside {
            eventually(within: 120, pauseMilliseconds: 1) {
                (try? UnixSocket.connected(to: socket)).map { _ in ContinuousClock.now }
            }
        }
        try mariadb.fill()
        guard let isBack = try watcher.value(within: 150) else { throw Failure("no MariaDB") }
        // Not since the kill: an order of before it may be answered after it.
        let sold = eventually(within: sellsAgainSeconds) { buyers.firstConfirmed(after: isBack) }
        guard let sold else { throw Failure("nothing is sold after a restart of MariaDB") }
        return isBack.duration(to: sold) / .seconds(1)
    }
}

/// What a memcached that hangs costs the orders, measured in turn with one that is well.
package struct MemcachedFigure: Sendable {
    private static let clients = 32
    /// With two time-outs: memcached is tried again every two seconds.
    private static let roundSeconds = 4.0

    /// Orders a second of each round, while memcached is well and while it hangs.
    package let well: [Double]
    package let hanging: [Double]
    /// Of all orders of all rounds, in milliseconds.
    package let wellP99: Double
    package let hangingP99: Double
    package let failed: Int

    /// Of all rounds.
    package var ratio: Double { hanging.reduce(0, +) / well.reduce(0, +) }

    package init(rounds: Int, folder: String, receiverCommand: [String]) throws {
        let shop = try ShopUnderFaults(
            in: folder, receiverCommand: receiverCommand, isMeasured: true)
        defer { shop.stop() }
        try shop.makeRich()
        let buyers = Buyers(Self.clients, at: shop.port)
        defer { buyers.stop() }
        // What they deliver in one round they spare the next.
        for name in ShopUnderFaults.workers { shop[name].stop() }
        let memcached = shop["memcached"]
        defer { memcached.current.signalAll(SIGCONT) }
        _ = Self.round(of: buyers)  // Connections, plans and caches are made.
        var (well, hanging): ([[Buyers.Answered]], [[Buyers.Answered]]) = ([], [])
        for _ in 1...rounds {
            well.append(Self.round(of: buyers))
            memcached.current.signalAll(SIGSTOP)
            hanging.append(Self.round(of: buyers))
            memcached.current.signalAll(SIGCONT)
            usleep(2_500_000)  // The shop asks a memcached that failed again after two seconds.
        }
        self.well = well.map { Double($0.count) / Self.roundSeconds }
        self.hanging = hanging.map { Double($0.count) / Self.roundSeconds }
        wellP99 = Self.p99(of: well)
        hangingP99 = Self.p99(of: hanging)
        failed = (well + hanging).joined().count { !$0.isConfirmed }
    }

    private static func round(of buyers: Buyers) -> [Buyers.Answered] {
        let start = ContinuousClock.now
        usleep(UInt32(roundSeconds * 1_000_000))
        return buyers.answered(from: start, to: start + .seconds(roundSeconds))
    }

    private static func p99(of rounds: [[Buyers.Answered]]) -> Double {
        let sorted = rounds.joined().map(\.milliseconds).sorted()
        return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
    }
}
