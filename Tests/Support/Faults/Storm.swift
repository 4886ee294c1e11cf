import FoundationEssentials
import Glibc
import ShopParts
import Synchronization

/// What goes wrong in a shop, and the clients that it befalls.
final class Storm: Sendable {
    static let clients = 12
    /// Those of one moment, and the connections that say nothing.
    private static let crowd = 60
    private static let idleConnections = 150
    /// A COMMIT comes within this; or the fault passes without one.
    private static let commitSeconds = 3.0
    /// One after the other: not every batch has an order without a key, which only the ledger can
    /// tell from one that is still to be made.
    private static let commitsLost = 3
    private static let delayMilliseconds: UInt32 = 25

    private let shop: ShopUnderFaults
    private let crowd: Crowd
    private let isOver = Atomic<Bool>(false)
    /// How often each kind has happened.
    private let counts = Mutex<[Fault.Kind: Int]>([:])
    private let failures = Mutex<[String]>([])
    private let log: Journal

    init(in shop: ShopUnderFaults, _ crowd: Crowd) throws {
        self.shop = shop
        self.crowd = crowd
        log = try Journal(at: "\(shop.folder)/faults.jsonl")
    }

    var happened: [Fault.Kind: Int] { counts.withLock { $0 } }

    /// What has gone wrong that nobody has done: a process that ended or did not start.
    var wrong: [String] { failures.withLock { $0 } }

    /// Rages for so long, then heals what it has done. Returns when all clients have their answers.
    func rage(
        seconds: Double, _ kinds: Set<Fault.Kind>, isInterrupted: @Sendable () -> Bool
    ) {
        let clients = (1...Self.clients).map { number in
            TestThread {
                let shopper = Shopper(number, in: self.crowd)
                while !self.isOver.load(ordering: .relaxed) { shopper.runErrand() }
            }
        }
        let tracks = (1...FaultPlan.tracks).map { number in
            TestThread {
                var plan = FaultPlan(seed: self.crowd.seed, track: number, kinds: kinds)
                while let fault = plan.next(), self.rest(fault.pauseMilliseconds) {
                    self.befall(fault)
                }
            }
        }
        let watch = TestThread { self.watch() }
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline && !isInterrupted() { usleep(50_000) }
        isOver.store(true, ordering: .relaxed)
        for thread in tracks + clients + [watch] { thread.join() }
        shop.receiver.become(.well)
    }

    /// - Returns: false when the storm is over.
    private func rest(_ milliseconds: Int) -> Bool {
        let deadline = ContinuousClock.now + .milliseconds(milliseconds)
        while ContinuousClock.now < deadline {
            if isOver.load(ordering: .relaxed) { return false }
            usleep(10_000)
        }
        return !isOver.load(ordering: .relaxed)
    }

    /// Notices who has ended without being told to.
    private func watch() {
        while rest(500) {
            for post in shop.posts {
                attempt("watching \(post.name)") {
                    try post.exclusively {
                        if let status = post.current.ended {
                            complain("\(post.name) has ended by itself with \(status)")
                            try post.fill()
                        }
                        post.measure()
                    }
                }
            }
        }
    }

    // MARK: - The faults

    private func befall(_ fault: Fault) {
        log.write(
            "fault \(fault.number)", "\(fault.kind.rawValue) \(fault.target)", key: nil, body: "",
            outcome: nil)
        attempt("\(fault.kind.rawValue) \(fault.target)") {
            if try inflict(fault) { counts.withLock { $0[fault.kind, default: 0] += 1 } }
        }
        log.write(
            "fault \(fault.number)", "\(fault.kind.rawValue) \(fault.target)", key: nil, body: "",
            outcome: "over")
    }

    /// - Returns: whether it has happened.
    private func inflict(_ fault: Fault) throws -> Bool {
        let length = fault.lengthMilliseconds
        switch fault.kind {
        case .kill:
            try withPost(fault.target) { post in
                let amid = TestThread { self.rush(fault.number) }
                usleep(UInt32(length) * 20)  // Up to 50 ms: while the crowd waits for answers.
                post.kill()
                _ = rest(length / 4)
                try post.fill()
                amid.join()
            }
        case .stop:
            try withPost(fault.target) { post in
                post.current.signalAll(SIGSTOP)
                _ = rest(length)
                post.current.signalAll(SIGCONT)
            }
        case .restart:
            try withPost(fault.target) { post in
                post.stop()
                try post.fill()
            }
        case .loseAnswer: return try lose(.answerToCommit)
        case .loseCommit: return try lose(.commit)
        case .delay:
            try withProxy(fault.target) { proxy in
                proxy.delay(byMilliseconds: Self.delayMilliseconds)
                _ = rest(length)
                proxy.delay(byMilliseconds: 0)
            }
        case .cut:
            try withProxy(fault.target) { proxy in
                proxy.cut()
                _ = rest(length / 2)
                try proxy.mend()
            }
        case .hang:
            try withProxy(fault.target) { proxy in
                proxy.hang()
                _ = rest(length)
                proxy.cut()  // What was swallowed is missing from each connection.
                try proxy.mend()
            }
        case .flush: shop.flushMemcached()
        case .mood:
            shop.receiver.become(ReceiverProcess.Mood(rawValue: fault.target) ?? .well)
            _ = rest(length)
            shop.receiver.become(.well)
        case .crowd:
            try withProxy("mariadbd") { proxy in
                proxy.delay(byMilliseconds: Self.delayMilliseconds)
                rush(fault.number)
                proxy.delay(byMilliseconds: 0)
            }
        case .idle: try occupy(fault.target, milliseconds: length)
        case .migration: return false
        }
        return true
    }

    private func lose(_ loss: Proxy.Loss) throws -> Bool {
        var hasLost = false
        try withProxy("mariadbd") { proxy in
            for _ in 1...Self.commitsLost {
                proxy.lose(loss)
                if eventually(within: Self.commitSeconds, { proxy.hasLost ? true : nil }) == nil {
                    break
                }
                hasLost = true
            }
            proxy.lose(nil)
        }
        return hasLost
    }

    /// Many clients at the same moment, each with one errand.
    private func rush(_ number: Int) {
        let threads = (0..<Self.crowd).map { index in
            TestThread { Shopper(number * 100 + index, in: self.crowd).runErrand() }
        }
        for thread in threads { thread.join() }
    }

    private func occupy(_ name: String, milliseconds: Int) throws {
        let path = "\(shop.folder)/\(name).sock"
        let sockets = (0..<Self.idleConnections).compactMap { _ in
            try? UnixSocket.connected(to: path)
        }
        _ = rest(milliseconds)
        withExtendedLifetime(sockets) {}
    }

    private func withPost(_ name: String, _ body: (Post) throws -> Void) throws {
        let post = shop[name]
        try post.exclusively { try body(post) }
    }

    /// The proxies' faults exclude each other, and not those of whom they stand before.
    private func withProxy(_ name: String, _ body: (Proxy) throws -> Void) throws {
        let isDatabase = name == "mariadbd"
        let (proxy, turn) =
            isDatabase ? (shop.databaseProxy, databaseTurn) : (shop.memcachedProxy, memcachedTurn)
        try turn.withLock { _ in try body(proxy) }
    }

    private let databaseTurn = Shared(())
    private let memcachedTurn = Shared(())

    private func attempt(_ what: String, _ body: () throws -> Void) {
        do { try body() } catch { complain("\(what): \(error)") }
    }

    private func complain(_ what: String) { failures.withLock { $0.append(what) } }
}
