import Crypto
import FoundationEssentials
import Glibc
import Memcached
import SeededRandom
import Testing

/// A peer at memcached's socket, and an entry in it, may be anything: it costs time, and neither
/// the process nor a right answer.
@Suite struct CachePeers {
    private static func stock(_ answer: Answer) throws -> Int {
        try answer.decoded([ProductDocument].self)[0].stock
    }

    /// What every key of a shop begins with.
    private static func prefix(of shop: Shop) throws -> String {
        let generation = try shop.number(
            "SELECT CAST(UNIX_TIMESTAMP(row_start) * 1000000 AS SIGNED) FROM shop")
        return "commerce.\(shop.database.name).\(String(generation, radix: 36))."
    }

    /// A shop whose memcached is what the test puts at `socket`.
    private struct Exposed {
        let place: ScratchFolder
        let shop: Shop
        var socket: String { "\(place.path)/peer.sock" }

        init() throws {
            place = try ScratchFolder()
            shop = try Shop(["COMMERCE_MEMCACHED": "\(place.path)/peer.sock"])
            try shop.execute("UPDATE users SET point = 100000000")
        }
    }

    @Test func `on a memcached without tokens every read shows the last order`() throws {
        let shop = try Shop(memcachedOptions: ["-C"])
        try shop.execute("UPDATE users SET point = 100000000")
        let books = try Books(shop)
        let pid = shop.commerce.pid
        for round in 1...50 {
            #expect(try Self.stock(try shop.get("/products/105")) == 1_001 - round)
            let body = order(round, [(105, 1)], paying: 2_000)
            let first = try shop.post("/api/v1/orders", body, key: "one")
            #expect(first.status == 200, "\(first.text)")
            #expect(try Self.stock(try shop.get("/products/105")) == 1_000 - round)
            let again = try shop.post("/api/v1/orders", body, key: "one")
            #expect(again.isReplayed && again.body == first.body)
        }
        #expect(try shop.get("/products/popular").status == 200)
        #expect(try shop.get("/readyz").text == #"{"status": "ok"}"#)
        #expect(shop.commerce.pid == pid && shop.commerce.ended == nil)
        #expect(try books.discrepancies() == [])
    }

    @Test func `a kept answer of a form that none has is a miss`() throws {
        let shop = try Shop()
        let memcached = Memcached(address: .socket(path: "\(shop.folder)/memcached.sock"))
        let digest = SHA256.digest(of: Array("60 CHARGE/0 one".utf8))
        let hexadecimal = digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let key = try Self.prefix(of: shop) + "key.\(hexadecimal)"
        let path = "/api/v1/users/60/charge"
        let first = try shop.post(path, charge(1_000), key: "one")
        let entry = try #require(try memcached.get(key)).value
        let head = String(decoding: entry.prefix { $0 != 0x0A }, as: UTF8.self).dropLast(3)
        let body = first.text
        let broken: [String] = [
            "\(head)1000\n[]", "\(head)99999999999999999999\n[]", "\(head)-1\n[]", "\(head)99\n[]",
            "\(head)+200\n\(body)", "\(head)0200 \n\(body)", "\(head)404\n\(body)", "\(head)\n[]",
            "\(head)200\n", "\(head)200\n[", "\(head)200\nno document", "\(head)200", "",
            "\(head)0\n\(body)", "\(head)200 200\n\(body)", "\n\n\n", "\u{0}\u{1}",
            head.replacing("60 ", with: "61 ") + "200\n\(body)",
        ]
        for value in broken {
            try memcached.set(key, Array(value.utf8), expirySeconds: 0)
            let again = try shop.post(path, charge(1_000), key: "one")
            #expect(again.status == 200 && again.isReplayed, "\(value.debugDescription)")
            #expect(again.body == first.body)
            #expect(try memcached.get(key)?.value == entry, "\(value.debugDescription)")
        }
        #expect(try shop.points(60) == 101_000)
        #expect(shop.commerce.ended == nil)
    }

    @Test func `a product's or a list's entry of a form that none has is a miss`() throws {
        let shop = try Shop()
        let memcached = Memcached(address: .socket(path: "\(shop.folder)/memcached.sock"))
        let prefix = try Self.prefix(of: shop)
        for value in [
            "", "\n", "1 1\n", "1 1\n[", "1\n[]", "1 1 1\n[]", "-1 1\n[]", "+1 1\n[]",
            "9223372036854775808 1\n[]", "1  1\n[]", "nonsense", "1 1\nnonsense",
        ] {
            try memcached.set(prefix + "product.105", Array(value.utf8), expirySeconds: 0)
            #expect(try Self.stock(try shop.get("/products/105")) == 1_000)
            // Put right by the reader that found it.
            let entry = try memcached.get(prefix + "product.105")
            #expect(entry.map { String(decoding: $0.value, as: UTF8.self) } != value)
        }
        let right = try shop.get("/products/popular").text
        for value in ["", "[", "nonsense"] {
            try memcached.set(prefix + "popular", Array(value.utf8), expirySeconds: 0)
            try memcached.set(prefix + "popular.fresh", [], expirySeconds: 0)
            usleep(1_500_000)  // nginx keeps the last answer for a second.
            #expect(try shop.get("/products/popular").text == right)
        }
        #expect(shop.commerce.ended == nil)
    }

    @Test func `a stored answer with a status that none has ends no process`() throws {
        let shop = try Shop()
        let path = "/api/v1/users/60/charge"
        let first = try shop.post(path, charge(1_000), key: "one")
        for status in [0, 99, 1_000, 65_535] {
            try shop.execute("UPDATE idempotency_key SET status = \(status)")
            try shop.flushMemcached()
            let answer = try shop.post(path, charge(1_000), key: "one")
            #expect([500, 503].contains(answer.status) && !answer.isReplayed)
            #expect(try shop.post(path, charge(1_000), key: "\(status)").status == 200)
        }
        try shop.execute("UPDATE idempotency_key SET status = 200")
        #expect(try shop.post(path, charge(1_000), key: "one").body == first.body)
        #expect(try shop.points(60) == 105_000)
        #expect(shop.commerce.ended == nil)
    }

    @Test func `numbers in rows that no schema allows end no process`() throws {
        let shop = try Shop()
        try shop.execute("UPDATE stock SET version = 9223372036854775807 WHERE product_id = 105")
        try shop.execute("UPDATE users SET version = 9223372036854775807 WHERE id = 25")
        let answers = [
            try shop.post("/api/v1/orders", order(26, [(105, 1)], paying: 2_000)),
            try shop.post("/api/v1/orders", order(25, [(101, 1)], paying: 2_000)),
            try shop.post("/api/v1/users/25/charge", charge(1_000), key: "one"),
            try shop.get("/products/105"), try shop.get("/api/v1/users/25"),
        ]
        for answer in answers { #expect([500, 503].contains(answer.status), "\(answer.text)") }
        let body = order(26, [(101, 1)], paying: 2_000)
        #expect(try shop.post("/api/v1/orders", body).status == 200)
        #expect(shop.commerce.ended == nil)
    }

    @Test func `whatever answers at memcached's socket, the shop answers rightly`() throws {
        let exposed = try Exposed()
        let shop = exposed.shop
        let books = try Books(shop)
        let peer = try MemcachedStandIn(at: exposed.socket)
        var sold = 0
        for (number, answer) in MemcachedStandIn.answers.enumerated() {
            peer.say(answer)
            // After a failure memcached is left alone, so another request has to come first.
            if number % 3 == 0 { usleep(2_100_000) }
            let key = "key-\(number)"
            let user = 25 + number
            for turn in number..<(number + 3) {
                switch turn % 3 {
                case 0:
                    #expect(try Self.stock(try shop.get("/products/105")) == 1_000 - sold)
                case 1:
                    let body = order(user, [(105, 1)], paying: 2_000)
                    let first = try shop.post("/api/v1/orders", body, key: key)
                    sold += 1
                    #expect(first.status == 200, "\(answer.debugDescription): \(first.text)")
                    let again = try shop.post("/api/v1/orders", body, key: key)
                    #expect(again.isReplayed && again.body == first.body)
                default:
                    let path = "/api/v1/users/\(user)/charge"
                    let first = try shop.post(path, charge(1_000), key: key)
                    let again = try shop.post(path, charge(1_000), key: key)
                    #expect(first.status == 200 && again.isReplayed && again.body == first.body)
                }
            }
        }
        #expect(try Self.stock(try shop.get("/products/105")) == 1_000 - sold)
        #expect(shop.commerce.ended == nil)
        #expect(try books.discrepancies() == [])
    }

    @Test func `answers that are cut and mixed cost no right answer`() throws {
        let exposed = try Exposed()
        let shop = exposed.shop
        let books = try Books(shop)
        let proxy = try Proxy(at: exposed.socket, to: "\(shop.folder)/memcached.sock")
        let mixer = Mixer(seed: testSeed)
        proxy.change { mixer.pieces(of: $0) }
        let end = ContinuousClock.now + .seconds(15)
        let faults = try shop.crowd(24, threads: 8) { client, number -> String? in
            while ContinuousClock.now < end {
                let key = "key-\(number)"
                let body = order(1 + number, [(101 + number % 5, 1)], paying: 2_000)
                let product = try client.get("/products/\(101 + number % 5)")
                guard product.status == 200 else { return product.text }
                // Where the answer was not kept, its key is in flight for 20 s.
                let persist = {
                    try eventually(within: 60, pauseMilliseconds: 50) { () -> Answer? in
                        let answer = try client.post("/api/v1/orders", body, key: key)
                        return answer.status == 409 ? nil : answer
                    }
                }
                guard let first = try persist(), let again = try persist() else { return "409" }
                guard first.status == 200, again.isReplayed, again.body == first.body else {
                    return "seed \(testSeed): \(first.text) \(again.text)"
                }
            }
            return nil
        }
        #expect(faults.compactMap { $0 } == [])
        #expect(shop.commerce.ended == nil)
        proxy.change(nil)
        // An entry that a mixed answer left behind has expired by then.
        let isRight = try eventually { () -> Bool? in
            let shown = try (101...105).map { try Self.stock(try shop.get("/products/\($0)")) }
            let real = try (101...105).map { Int(try shop.stock($0)) }
            return shown == real ? true : nil
        }
        #expect(isRight != nil)
        #expect(try books.discrepancies() == [])
    }
}

/// Answers as a broken wire brings them: cut, doubled, of another connection, with other bytes.
private final class Mixer: Sendable {
    private let state: Shared<(random: SplitMix64, earlier: [[UInt8]])>

    init(seed: UInt64) { state = Shared((SplitMix64(seed: seed), [])) }

    /// - Returns: what is sent instead, one after the other; nothing ends the connection.
    func pieces(of answer: [UInt8]) -> [[UInt8]] {
        state.withLock { state in
            defer { if state.earlier.count < 64 { state.earlier.append(answer) } }
            guard state.random.chance(40) else { return [answer] }
            let place = Int.random(in: 0...answer.count, using: &state.random)
            let (head, tail) = (Array(answer[..<place]), Array(answer[place...]))
            let other = state.earlier.randomElement(using: &state.random) ?? []
            return switch Int.random(in: 0..<6, using: &state.random) {
            case 0: []
            case 1: [head].filter { !$0.isEmpty }
            case 2: [head, tail].filter { !$0.isEmpty }
            case 3: [head + [UInt8.random(in: 0...255, using: &state.random)] + tail.dropFirst()]
            case 4: [head + other + tail]
            default: [answer + other]
            }
        }
    }
}
