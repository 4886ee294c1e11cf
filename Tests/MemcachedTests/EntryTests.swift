import Glibc
import Testing

@testable import Memcached

@Suite struct Entries {
    private let server: TestMemcached
    private let cache: Memcached

    init() throws {
        server = try TestMemcached()
        cache = server.client()
    }

    @Test func `what was set is read back with its flags`() throws {
        let value = Array("값 \r\n END \u{0}".utf8)
        try cache.set("key", value, flags: 7, expirySeconds: 0)
        #expect(try cache.get("key") == Memcached.Entry(value: value, flags: 7, cas: nil))
        #expect(try cache.get("other") == nil)
        try cache.set("key", [], expirySeconds: 0)
        #expect(try cache.get("key")?.value == [])
    }

    @Test func `only the first of two adds stores`() throws {
        #expect(try cache.add("key", [1], expirySeconds: 60))
        #expect(try !cache.add("key", [2], expirySeconds: 60))
        #expect(try cache.get("key")?.value == [1])
    }

    @Test func `a deleted entry is gone`() throws {
        try cache.set("key", [1], expirySeconds: 60)
        #expect(try cache.delete("key"))
        #expect(try !cache.delete("key"))
        #expect(try cache.get("key") == nil)
    }

    @Test func `a token replaces the value it was read with and no later one`() throws {
        #expect(try cache.gets("key") == nil)
        try cache.set("key", [1], expirySeconds: 60)
        let token = try #require(try cache.gets("key")?.cas)
        #expect(try cache.cas("key", [2], expirySeconds: 60, token: token) == .stored)
        #expect(try cache.cas("key", [3], expirySeconds: 60, token: token) == .changed)
        #expect(try cache.get("key")?.value == [2])
        try cache.delete("key")
        #expect(try cache.cas("key", [4], expirySeconds: 60, token: token) == .missing)
    }

    @Test func `an entry is deleted by its token, and a later one is not`() throws {
        try cache.set("key", [1], expirySeconds: 60)
        let token = try #require(try cache.gets("key")?.cas)
        try cache.set("key", [2], expirySeconds: 60)
        #expect(try !cache.delete("key", token: token))
        #expect(try cache.get("key")?.value == [2])
        let later = try #require(try cache.gets("key")?.cas)
        #expect(try cache.delete("key", token: later))
        #expect(try cache.get("key") == nil)
        #expect(try cache.add("key", [3], expirySeconds: 60))
    }

    @Test func `a memcached without tokens gives none and keeps values`() throws {
        let server = try TestMemcached("-C")
        let cache = server.client()
        try cache.set("key", [1], expirySeconds: 60)
        let entry = try #require(try cache.gets("key"))
        #expect(entry.value == [1] && entry.cas == nil)
        #expect(try cache.cas("key", [2], expirySeconds: 60, token: 0) == .changed)
        #expect(try cache.delete("key"))
    }

    @Test func `an entry expires`() throws {
        try cache.set("key", [1], expirySeconds: 1)
        #expect(try cache.get("key") != nil)
        usleep(2_200_000)
        #expect(try cache.get("key") == nil)
    }

    @Test func `many keys are looked up together, and those missing are left out`() throws {
        let keys = (0..<1_300).map { "a-rather-long-prefix-for-a-key:\($0)" }
        for (number, key) in keys.enumerated() where number % 2 == 0 {
            try cache.set(key, Array("\(number)".utf8), flags: UInt32(number), expirySeconds: 60)
        }
        let entries = try cache.gets(keys)
        #expect(entries.count == 650)
        #expect(entries[keys[1]] == nil)
        for (number, key) in keys.enumerated() where number % 2 == 0 {
            let entry = try #require(entries[key])
            #expect(entry.value == Array("\(number)".utf8) && entry.flags == UInt32(number))
            #expect(entry.cas != nil)
        }
        let token = try #require(entries[keys[0]]?.cas)
        #expect(try cache.cas(keys[0], [1], expirySeconds: 9, token: token) == .stored)
        #expect(try cache.gets([String]()).isEmpty)
        #expect(try cache.gets(["none", "neither"]).isEmpty)
    }

    @Test(arguments: [
        "", "a b", "a\r\nflush_all", "키", "tab\t", String(repeating: "k", count: 251),
    ])
    func `a key that is none is refused and asks nobody`(key: String) throws {
        server.kill()
        #expect(refusal { _ = try cache.get(key) } == .invalidKey)
        #expect(refusal { _ = try cache.gets(["fine", key]) } != nil)
        #expect(refusal { try cache.set(key, [1], expirySeconds: 1) } == .invalidKey)
    }

    @Test func `the longest key and the largest value are taken`() throws {
        let key = String(repeating: "~", count: 250)
        let value = [UInt8](repeating: 65, count: 1_024 * 1_024 - 1_024)
        try cache.set(key, value, expirySeconds: 60)
        #expect(try cache.get(key)?.value == value)
    }

    @Test func `a value that is too large replaces nothing and harms nobody`() throws {
        let large = [UInt8](repeating: 65, count: 2 << 20)
        try cache.set("key", [1], expirySeconds: 60)
        let token = try #require(try cache.gets("key")?.cas)
        #expect(refusal { _ = try cache.add("new", large, expirySeconds: 60) } != nil)
        #expect(refusal { try cache.set("key", large, expirySeconds: 60) } != nil)
        #expect(try cache.get("key") == nil)
        let cas = refusal { _ = try cache.cas("key", large, expirySeconds: 60, token: token) }
        #expect(cas != nil && cas != .resting)
        #expect(cache.isAvailable)
        try cache.ping()
    }

    @Test func `a server without memory stores nothing and is not left alone`() throws {
        let small = try TestMemcached("-M", "-m", "4")
        let cache = small.client()
        let value = [UInt8](repeating: 65, count: 200_000)
        let refusals = (0..<100).compactMap { number in
            refusal { try cache.set("key\(number)", value, expirySeconds: 60) }
        }
        #expect(!refusals.isEmpty)
        for refusal in refusals {
            guard case .notStored = refusal else {
                Issue.record("\(refusal)")
                continue
            }
        }
        #expect(cache.isAvailable)
        try cache.ping()
    }
}
