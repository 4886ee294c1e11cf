import Glibc
import Testing

/// What sits at memcached's socket, and what lies in it, may be anything: it costs time, and neither
/// the process nor a right answer.
@Suite struct CachePeers {
    private static func stock(_ answer: Answer) throws -> Int {
        try answer.decoded([ProductDocument].self)[0].stock
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
}
