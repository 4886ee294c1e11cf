import Glibc
import Testing

/// What memcached remembers is never older than what a buyer was told, and nothing waits for it.
@Suite struct Caches {
    private let shop: Shop

    init() throws { shop = try Shop(hasProxy: true) }

    private static func stock(_ answer: Answer) throws -> Int {
        try answer.decoded([ProductDocument].self)[0].stock
    }

    @Test func `who reads after an answered order sees it`() throws {
        try shop.execute("UPDATE users SET point = 100000000")
        let (begun, answered) = (Tally(), Tally())
        let faults = try shop.crowd(600, threads: 24) { client, number -> String? in
            if number % 3 == 0 {
                begun.add()
                let body = order(1 + number % 100, [(105, 1)], paying: 2_000)
                let answer = try client.post("/api/v1/orders", body)
                if answer.status == 200 { answered.add() }
                return answer.status == 200 ? nil : answer.text
            }
            let most = 1_000 - answered.count
            let stock = try Self.stock(try client.get("/products/105"))
            let least = 1_000 - begun.count
            return (least...most).contains(stock) ? nil : "\(stock) is not \(least)...\(most)"
        }
        #expect(faults.compactMap { $0 } == [])
        #expect(try Self.stock(try shop.get("/products/105")) == 800)
        #expect(try shop.stock(105) == 800)
    }

    @Test func `a buyer sees their own order at once`() throws {
        try shop.execute("UPDATE users SET point = 100000000")
        let faults = try shop.crowd(80, threads: 8) { client, number -> String? in
            let product = 101 + number % 5
            let before = try Self.stock(try client.get("/products/\(product)"))
            let answer = try client.post(
                "/api/v1/orders", order(1 + number, [(product, 1)], paying: 2_000))
            guard answer.status == 200 else { return answer.text }
            let after = try Self.stock(try client.get("/products/\(product)"))
            return after < before ? nil : "\(product): \(before), then \(after)"
        }
        #expect(faults.compactMap { $0 } == [])
    }

    @Test func `a late filler cannot bring old stock back`() throws {
        let shop = shop
        let proxy = try #require(shop.proxy)
        proxy.hold(answerWith: "오이 샐러드")
        let reader = Beside { try shop.newClient().get("/products/105") }
        #expect(eventually { proxy.isHolding ? true : nil } != nil)
        let answer = try shop.post("/api/v1/orders", order(25, [(105, 1)], paying: 2_000))
        #expect(answer.status == 200)
        proxy.release()
        // It began before the order was answered, so either is right for it.
        #expect([999, 1_000].contains(try Self.stock(try reader.value())))
        for _ in 1...20 { #expect(try Self.stock(try shop.get("/products/105")) == 999) }
    }

    @Test func `a very late filler cannot bring old stock back either`() throws {
        let shop = shop
        let proxy = try #require(shop.proxy)
        proxy.hold(answerWith: "오이 샐러드")
        let reader = Beside { try shop.newClient().get("/products/105") }
        #expect(eventually { proxy.isHolding ? true : nil } != nil)
        let answer = try shop.post("/api/v1/orders", order(25, [(105, 1)], paying: 2_000))
        #expect(answer.status == 200)
        // Longer than an entry lives, shorter than the responder waits for MariaDB.
        usleep(3_500_000)
        proxy.release()
        _ = try reader.value()
        let seen = try (1...20).map { _ in try Self.stock(try shop.get("/products/105")) }
        #expect(Set(seen) == [999])
    }

    @Test func `a new price is shown within seconds`() throws {
        #expect(try shop.get("/products/101").decoded([ProductDocument].self)[0].price == 2_000)
        try shop.execute("UPDATE product SET price = 2100, version = version + 1 WHERE id = 101")
        let shown = try eventually(within: 15) {
            let product = try shop.get("/products/101").decoded([ProductDocument].self)[0]
            return product.price == 2_100 ? true : nil
        }
        #expect(shown != nil)
        // What is shown may be old for a moment; what is paid never is.
        #expect(
            try shop.post("/api/v1/orders", order(25, [(101, 1)], paying: 2_000)).code
                == "PRICE_MISMATCH")
    }

    @Test func `with a memcached that hangs everything answers soon`() throws {
        try shop.waitUntilReady()
        let memcached = try #require(shop.memcached)
        memcached.suspend()
        for number in 1...4 {
            for path in ["/products/101", "/products/popular", "/api/v1/users/25", "/readyz"] {
                let (answer, took) = try timed { try shop.get(path) }
                #expect(answer.status == 200 && took < 5, "\(path): \(took) s")
            }
            let key = "key-\(number)"
            for (path, body) in [
                ("/api/v1/users/25/charge", charge(1_000)),
                ("/api/v1/orders", order(25, [(101, 1)], paying: 2_000)),
            ] {
                let (answer, took) = try timed { try shop.post(path, body, key: key) }
                #expect(answer.status == 200 && took < 5, "\(path): \(took) s")
            }
        }
        #expect(try shop.points(25) == 96_000)
        memcached.resume()
        for number in 1...4 {
            let answer = try shop.post(
                "/api/v1/users/25/charge", charge(1_000), key: "key-\(number)")
            #expect(answer.isReplayed)
        }
    }

    @Test func `without memcached everything works and readyz says degraded`() throws {
        shop.killMemcached()
        let degraded = try eventually { () -> Bool? in
            let answer = try shop.get("/readyz")
            #expect(answer.status == 200)
            return answer.text == #"{"status": "degraded"}"# ? true : nil
        }
        #expect(degraded != nil)
        #expect(try shop.get("/products/25").status == 200)
        #expect(try shop.get("/products/popular").status == 200)
        #expect(try shop.post("/api/v1/orders", order(25, [(25, 1)], paying: 2_500)).status == 200)
        #expect(try Self.stock(try shop.get("/products/25")) == 8)

        try shop.restartMemcached()
        let well = try eventually { () -> Bool? in
            try shop.get("/readyz").text == #"{"status": "ok"}"# ? true : nil
        }
        #expect(well != nil)
    }

    @Test func `a shop that was given no memcached is not degraded`() throws {
        let shop = try Shop(["COMMERCE_MEMCACHED": ""])
        #expect(try shop.get("/readyz").text == #"{"status": "ok"}"#)
        #expect(try shop.post("/api/v1/orders", order(25, [(25, 1)], paying: 2_500)).status == 200)
        #expect(try Self.stock(try shop.get("/products/25")) == 8)
        #expect(try shop.get("/products/popular").status == 200)
    }
}
