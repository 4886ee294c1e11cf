import Glibc
import Synchronization
import Testing

@testable import Memcached

@Suite struct Failures {
    private let server: TestMemcached
    private let cache: Memcached

    init() throws {
        server = try TestMemcached()
        cache = server.client()
    }

    @Test func `a memcached that hangs costs one short wait and then none`() throws {
        try cache.set("key", [1], expirySeconds: 60)
        server.suspend()
        var reason: Unavailable.Reason?
        let first = milliseconds { reason = refusal { _ = try cache.get("key") } }
        #expect(first < 5_000)
        #expect(reason != nil && reason != .resting)
        #expect(!cache.isAvailable)
        let next = milliseconds {
            for _ in 1...1_000 { #expect(refusal { _ = try cache.get("key") } == .resting) }
        }
        #expect(next < 100)
        server.resume()
    }

    @Test(arguments: Operation.allCases)
    func `no operation waits long for a memcached that hangs`(operation: Operation) throws {
        for isWarm in [false, true] {
            let cache = server.client()
            if isWarm { try cache.ping() }
            server.suspend()
            var reason: Unavailable.Reason?
            let took = milliseconds { reason = refusal { try operation.run(on: cache) } }
            #expect(took < 5_000, "\(operation), warm: \(isWarm)")
            guard case .failed = reason else {
                Issue.record("\(String(describing: reason))")
                continue
            }
            server.resume()
        }
    }

    @Test func `a late answer reaches nobody`() throws {
        try cache.set("old", [1], expirySeconds: 60)
        try cache.set("new", [2], expirySeconds: 60)
        server.suspend()
        #expect(refusal { _ = try cache.get("old") } != nil)
        server.resume()
        waitForRest()
        for _ in 1...20 { #expect(try cache.get("new")?.value == [2]) }
    }

    @Test func `after a restart it is used again without help`() throws {
        try cache.set("key", [1], expirySeconds: 60)
        server.kill()
        #expect(refusal { _ = try cache.get("key") } != nil)
        try server.start()
        waitForRest()
        #expect(try cache.get("key") == nil)
        try cache.set("key", [2], expirySeconds: 60)
        #expect(try cache.get("key")?.value == [2])
        #expect(cache.isAvailable)
    }

    @Test func `after a restart no connection from before is used`() throws {
        let threads = (1...8).map { _ in
            startThread { [cache] in for _ in 1...300 { try? cache.ping() } }
        }
        for thread in threads { pthread_join(thread, nil) }
        server.kill()
        #expect(refusal { _ = try cache.get("key") } != nil)
        try server.start()
        waitForRest()
        let outcomes = Outcomes()
        let later = (1...8).map { _ in
            startThread { [cache] in
                outcomes.add(refusal { for _ in 1...300 { try cache.ping() } })
            }
        }
        for thread in later { pthread_join(thread, nil) }
        #expect(outcomes.all.allSatisfy { $0 == nil || $0 == .resting })
        #expect(refusal { for _ in 1...300 { try cache.ping() } } == nil)
    }

    @Test func `a memcached that is not there is said so at once`() throws {
        for address: Memcached.Address in [
            .socket(path: "/nonexistent/memcached.sock"), .host(name: "127.0.0.1", port: 1),
        ] {
            let cache = Memcached(address: address)
            var reason: Unavailable.Reason?
            let took = milliseconds { reason = refusal { try cache.ping() } }
            #expect(took < 100 && reason != nil)
            #expect(refusal { try cache.ping() } == .resting)
        }
    }

    @Test func `after the rest one caller tries while the others still skip`() throws {
        server.suspend()
        #expect(refusal { _ = try cache.get("key") } != nil)
        waitForRest()
        let outcomes = Outcomes()
        let threads = (1...8).map { _ in
            startThread { [cache] in outcomes.add(refusal { _ = try cache.get("key") }) }
        }
        for thread in threads { pthread_join(thread, nil) }
        let tried = outcomes.all.count { $0 != .resting }
        #expect(tried == 1)
        server.resume()
    }

    @Test func `threads get their own answers`() throws {
        let outcomes = Outcomes()
        let threads = (0..<8).map { number in
            startThread { [cache] in
                outcomes.add(
                    refusal {
                        for turn in 0..<500 {
                            let (key, value) = ("key\(number)", [UInt8(number), UInt8(turn % 256)])
                            try cache.set(key, value, expirySeconds: 60)
                            if try cache.get(key)?.value != value {
                                throw Unavailable(.failed("another's value"))
                            }
                        }
                    })
            }
        }
        for thread in threads { pthread_join(thread, nil) }
        #expect(outcomes.all == Array(repeating: nil, count: 8))
    }

    private func waitForRest() { usleep(UInt32(RestPeriod.nanoseconds / 1_000) + 50_000) }
}

/// Everything that talks to memcached.
enum Operation: CaseIterable {
    case get, getMany, add, set, cas, delete, deleteToken, setLarge, ping

    func run(on cache: Memcached) throws {
        switch self {
        case .get: _ = try cache.get("key")
        case .getMany: _ = try cache.gets(["key", "other"])
        case .add: _ = try cache.add("key", [1], expirySeconds: 1)
        case .set: try cache.set("key", [1], expirySeconds: 1)
        case .cas: _ = try cache.cas("key", [1], expirySeconds: 1, token: 5)
        case .delete: try cache.delete("key")
        case .deleteToken: try cache.delete("key", token: 5)
        case .setLarge:
            try cache.set("key", [UInt8](repeating: 1, count: 1_000_000), expirySeconds: 1)
        case .ping: try cache.ping()
        }
    }
}

/// What several threads met.
private final class Outcomes: Sendable {
    private let reasons = Mutex<[Unavailable.Reason?]>([])

    var all: [Unavailable.Reason?] { reasons.withLock { $0 } }

    func add(_ reason: Unavailable.Reason?) { reasons.withLock { $0.append(reason) } }
}
