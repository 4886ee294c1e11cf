import Glibc
import Testing

/// What breaks beneath the shop costs time or a 503, and never money.
@Suite struct Outages {
    private let shop: Shop
    private let books: Books

    init() throws {
        shop = try Shop(hasProxy: true)
        books = try Books(shop)
    }

    private func proxy() throws -> Proxy { try #require(shop.proxy) }

    /// Sends one request until it is answered, as a client with a key should.
    private static func persist(
        _ client: Client, _ path: String, _ body: String, key: String
    ) throws -> Answer {
        let answer = try eventually(within: 30, pauseMilliseconds: 50) { () -> Answer? in
            let answer = try client.post(path, body, key: key)
            return [409, 503].contains(answer.status) ? nil : answer
        }
        guard let answer else { throw Failure("no answer to \(key) for 30 s") }
        return answer
    }

    @Test func `while MariaDB is away everything says so, and then recovers by itself`() throws {
        let order = ShopTests.order(25, [(101, 1)], paying: 2_000)
        #expect(try shop.post("/api/v1/orders", order, key: "before").status == 200)
        try shop.flushMemcached()
        try proxy().cut()

        try expectProblem(try shop.get("/readyz"), 503, "DATABASE_UNREACHABLE")
        for answer in [
            try shop.get("/products/101"), try shop.get("/api/v1/users/25"),
            try shop.get("/products/popular"), try shop.post("/api/v1/orders", order),
            try shop.post("/api/v1/orders", order, key: "during"),
            try shop.post("/api/v1/users/25/charge", charge(1_000), key: "during"),
        ] {
            try expectProblem(answer, 503, "SERVICE_UNAVAILABLE")
            #expect(answer["Retry-After"] == "1")
        }
        #expect(try shop.get("/livez").status == 200)
        #expect(try shop.get("/metrics").status == 200)
        // What needs no database is still refused as ever.
        #expect(try shop.post("/api/v1/orders", "[").status == 400)

        try proxy().mend()
        try shop.waitUntilReady()
        #expect(try shop.post("/api/v1/orders", order, key: "before").isReplayed)
        let during = try shop.post("/api/v1/orders", order, key: "during")
        #expect(during.status == 200 && !during.isReplayed)
        #expect(try shop.points(25) == 96_000)
        #expect(try books.discrepancies() == [])
    }

    @Test func `readyz is quick to say that MariaDB is away`() throws {
        try proxy().cut()
        for _ in 1...3 {
            let (answer, took) = try timed { try shop.get("/readyz") }
            #expect(answer.status == 503 && took < 5, "\(took) s")
        }
    }

    @Test(arguments: [Proxy.Loss.commit, .answerToCommit])
    func `a COMMIT whose answer is lost takes effect once`(loss: Proxy.Loss) throws {
        try proxy().lose(loss)
        let body = order(25, [(101, 1)], paying: 2_000)
        let answer = try shop.post("/api/v1/orders", body, key: "one")
        #expect(try proxy().hasLost)
        #expect(answer.status == 200, "\(answer.text)")
        let again = try shop.post("/api/v1/orders", body, key: "one")
        #expect(again.isReplayed && again.body == answer.body)
        #expect(try shop.stock(101) == 999)
        #expect(try Self.stock(try shop.get("/products/101")) == 999)
        #expect(try shop.hasExactly([try #require(answer.orderID)]))
        #expect(try books.discrepancies() == [])
    }

    @Test(arguments: [Proxy.Loss.commit, .answerToCommit])
    func `a COMMIT without a key is not carried out twice either`(loss: Proxy.Loss) throws {
        try proxy().lose(loss)
        let answer = try shop.post("/api/v1/orders", order(25, [(101, 1)], paying: 2_000))
        #expect(answer.status == 200, "\(answer.text)")
        #expect(try shop.hasExactly([try #require(answer.orderID)]))
        #expect(try books.discrepancies() == [])
    }

    @Test func `killed sessions under load lose no order and double none`() throws {
        let shop = shop
        try shop.execute("UPDATE users SET point = 100000000")
        let books = try Books(shop)
        let isOver = Tally()
        let killer = Beside {
            // Ever rarer, so that on a slow machine some orders get through in between.
            var pauseMilliseconds: UInt32 = 100
            while isOver.count == 0 {
                try shop.killSessions()
                usleep(1_000 * pauseMilliseconds)
                pauseMilliseconds += 10
            }
        }
        let answers = try shop.crowd(300, threads: 16) { client, number in
            let body = order(1 + number % 100, [(101 + number % 5, 1)], paying: 2_000)
            let first = try client.post("/api/v1/orders", body, key: "key-\(number)")
            let last = try Self.persist(client, "/api/v1/orders", body, key: "key-\(number)")
            return (first, last)
        }
        isOver.add()
        try killer.value()
        for (first, last) in answers {
            #expect([200, 409, 503].contains(first.status), "\(first.text)")
            if first.status == 503 { #expect(first["Retry-After"] == "1") }
            if first.status == 200 { #expect(first.body == last.body) }
            #expect(last.status == 200)
        }
        #expect(try shop.hasExactly(answers.compactMap(\.1.orderID)))
        #expect(try books.discrepancies() == [])
    }

    @Test func `double submits amid flushes and deaths of memcached charge once`() throws {
        let shop = shop
        let isOver = Tally()
        let chaos = Beside {
            while isOver.count == 0 {
                try shop.flushMemcached()
                usleep(20_000)
                shop.killMemcached()
                usleep(50_000)
                try shop.restartMemcached()
                usleep(20_000)
            }
        }
        // Each key is sent by four threads at about the same time.
        let answers = try shop.crowd(240, threads: 16) { client, number in
            try client.post(
                "/api/v1/users/\(2 + number / 4)/charge", charge(1_000), key: "key")
        }
        isOver.add()
        try chaos.value()
        #expect(answers.allSatisfy { [200, 409, 503].contains($0.status) })
        try shop.flushMemcached()
        for user in 2...61 {
            let path = "/api/v1/users/\(user)/charge"
            let last = try Self.persist(shop.newClient(), path, charge(1_000), key: "key")
            let ofUser = answers[((user - 2) * 4)..<((user - 1) * 4)] + [last]
            let answered = ofUser.filter { $0.status == 200 }
            #expect(answered.count { !$0.isReplayed } == 1, "user \(user)")
            #expect(Set(answered.map(\.text)).count == 1)
            #expect(try shop.points(user) == 101_000)
        }
        #expect(try books.discrepancies() == [])
    }

    @Test func `a row that stays locked is a 503 that has done nothing`() throws {
        let shop = shop
        let body = order(25, [(101, 1)], paying: 2_000)
        let answer = try shop.holding("SELECT * FROM stock WHERE product_id = 101 FOR UPDATE") {
            try Beside { try shop.newClient().post("/api/v1/orders", body, key: "one") }.value()
        }
        try expectProblem(answer, 503, "SERVICE_UNAVAILABLE")
        #expect(answer["Retry-After"] == "1")
        #expect(try shop.hasExactly([]))
        let again = try shop.post("/api/v1/orders", body, key: "one")
        #expect(again.status == 200 && !again.isReplayed)
        #expect(try books.discrepancies() == [])
    }

    @Test func `a locked row delays others for seconds at most, and only while it is locked`()
        throws
    {
        let shop = shop
        let (other, took) = try shop.holding(
            "SELECT * FROM stock WHERE product_id = 101 FOR UPDATE"
        ) {
            let blocked = Beside {
                try shop.newClient().post("/api/v1/orders", order(25, [(101, 1)], paying: 2_000))
            }
            try shop.waitForBlockedSession()
            let other = try timed {
                try shop.newClient().post("/api/v1/orders", order(26, [(102, 1)], paying: 2_000))
            }
            #expect([200, 503].contains(try blocked.value().status))
            return other
        }
        #expect(other.status == 200 || other["Retry-After"] == "1", "\(other.text)")
        #expect(took < 20)
        let (next, soon) = try timed {
            try shop.post("/api/v1/orders", order(27, [(101, 1)], paying: 2_000))
        }
        #expect(next.status == 200 && soon < 15)
        #expect(try books.discrepancies() == [])
    }

    private static func stock(_ answer: Answer) throws -> Int {
        try answer.decoded([ProductDocument].self)[0].stock
    }
}
