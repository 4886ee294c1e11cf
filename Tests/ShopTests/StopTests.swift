import Glibc
import Testing

/// A stop or a new version costs nobody an answer.
@Suite struct Stopping {
    /// Clients that ask without a pause until they are told to stop.
    private final class Load: Sendable {
        /// What went wrong, in words.
        let faults: Beside<[String]>
        let requests = Tally()
        private let isOver = Tally()

        init(on shop: Shop, threads: Int = 8) {
            let (requests, isOver) = (requests, isOver)
            faults = Beside {
                try inParallel(threads, threads: threads, { shop.newClient() }) {
                    client, number -> [String] in
                    var faults: [String] = []
                    while isOver.count == 0 && faults.count < 5 {
                        do {
                            let answer = try Self.ask(client, requests.add(), by: 2 + number)
                            if answer.status != 200 {
                                faults.append("\(answer.status) \(answer.text)")
                            }
                        } catch {
                            faults.append("\(error)")
                        }
                    }
                    return faults
                }.flatMap { $0 }
            }
        }

        private static func ask(_ client: Client, _ number: Int, by user: Int) throws -> Answer {
            switch number % 4 {
            case 0: try client.get("/products/101")
            case 1: try client.get("/api/v1/users/\(user)")
            case 2:
                try client.post(
                    "/api/v1/users/\(user)/charge", charge(1_000), key: "key-\(number)")
            default:
                try client.post(
                    "/api/v1/orders", order(user, [(100 + user % 5 + 1, 1)], paying: 2_000))
            }
        }

        /// Waits for so many further requests.
        func pass(_ count: Int) throws {
            let goal = requests.count + count
            let passed = eventually(within: 30) {
                requests.count >= goal || faults.isDone ? true : nil
            }
            if passed == nil { throw Failure("the load stands still") }
        }

        func end() throws -> [String] {
            isOver.add()
            return try faults.value()
        }
    }

    private func prepare(_ shop: Shop) throws -> Books {
        try shop.execute("UPDATE users SET point = 1000000000")
        try shop.execute("UPDATE stock SET quantity = 1000000")
        return try Books(shop)
    }

    @Test func `a second responder takes over under load without a failed request`() throws {
        let shop = try Shop()
        let books = try prepare(shop)
        let load = Load(on: shop)
        try load.pass(100)
        let first = shop.commerce
        try shop.startSuccessor()
        first.signal(SIGTERM)
        #expect(first.end(within: 30) == 0)
        try load.pass(100)
        #expect(try load.end() == [])
        #expect(try books.discrepancies() == [])
    }

    @Test func `a restart on an inherited socket loses no request`() throws {
        let shop = try Shop(inheritsSocket: true)
        let books = try prepare(shop)
        let load = Load(on: shop)
        try load.pass(100)
        let first = shop.commerce
        first.signal(SIGTERM)
        // As systemd does it: the next begins when the last has ended.
        #expect(first.end(within: 30) == 0)
        try shop.startSuccessor()
        try load.pass(100)
        #expect(try load.end() == [])
        #expect(try books.discrepancies() == [])
    }

    @Test func `what has arrived at a stop is answered`() throws {
        let shop = try Shop()
        let commerce = shop.commerce
        let pending = try shop.holding("SELECT * FROM users WHERE id = 25 FOR UPDATE") {
            let pending = Beside {
                try shop.newClient().post("/api/v1/users/25/charge", charge(1_000), key: "one")
            }
            try shop.waitForBlockedSession()
            commerce.signal(SIGTERM)
            let isDraining = eventually {
                contents(of: commerce.log).contains("draining") ? true : nil
            }
            #expect(isDraining != nil)
            #expect(!pending.isDone)
            return pending
        }
        #expect(try pending.value().text == balance(of25: "101,000"))
        #expect(commerce.end(within: 20) == 0)
    }

    @Test func `readyz is 503 while it drains and everything else is served`() throws {
        let shop = try Shop()
        let commerce = shop.commerce
        let client = shop.newClient()
        // The pending charge keeps it draining; nginx keeps a connection for this client's next.
        let (pending, ready, balance) = try shop.holding(
            "SELECT * FROM users WHERE id = 26 FOR UPDATE"
        ) {
            let pending = Beside {
                try shop.newClient().post("/api/v1/users/26/charge", charge(1_000), key: "one")
            }
            try shop.waitForBlockedSession()
            _ = try client.get("/api/v1/users/25")
            commerce.signal(SIGTERM)
            let isDraining = eventually {
                contents(of: commerce.log).contains("draining") ? 1 : nil
            }
            #expect(isDraining != nil)
            return (pending, try client.get("/readyz"), try client.get("/api/v1/users/25"))
        }
        try expectProblem(ready, 503, "DRAINING")
        #expect(balance.status == 200)
        #expect(try pending.value().status == 200)
        #expect(commerce.end(within: 20) == 0)
    }

    @Test func `a second signal ends it at once and leaves nothing half done`() throws {
        let shop = try Shop()
        let commerce = shop.commerce
        let pending = try shop.holding("SELECT * FROM users WHERE id = 25 FOR UPDATE") {
            let pending = Beside {
                try shop.newClient().post("/api/v1/users/25/charge", charge(1_000), key: "one")
            }
            try shop.waitForBlockedSession()
            commerce.signal(SIGTERM)
            #expect(eventually { contents(of: commerce.log).contains("draining") ? 1 : nil } != nil)
            commerce.signal(SIGTERM)
            let status = commerce.end(within: 5)
            #expect(status != nil && status != 0)
            return pending
        }
        let answer = try pending.value()
        try expectProblem(answer, 502, "BAD_GATEWAY")
        #expect(answer["Retry-After"] == "1")

        try shop.startSuccessor()
        try shop.waitUntilReady()
        try shop.flushMemcached()
        let again = try shop.post("/api/v1/users/25/charge", charge(1_000), key: "one")
        #expect(again.status == 200)
        #expect(try shop.points(25) == 101_000)
    }

    @Test func `an idle responder stops within nginx's patience for idle connections`() throws {
        let shop = try Shop()
        #expect(try shop.get("/livez").status == 200)
        let commerce = shop.commerce
        commerce.signal(SIGTERM)
        #expect(commerce.end(within: 15) == 0)
        #expect(access("\(shop.folder)/commerce.sock", F_OK) != 0)
    }

    @Test func `a process that still waits for MariaDB stops, too`() throws {
        let scratch = try ScratchFolder()
        let settings = [
            "COMMERCE_SOCKET": "\(scratch.path)/c.sock",
            "COMMERCE_DATABASE_SOCKET": "\(scratch.path)/nobody.sock",
            "COMMERCE_DATABASE_NAME": "shop", "COMMERCE_DATABASE_USER": "shop",
            "COMMERCE_NOTIFICATION_FILE": "\(scratch.path)/n.jsonl",
            "COMMERCE_AMQP_URL": "amqp://127.0.0.1:1",
        ]
        let parts = try ["serve", "work", "notify"].map { command in
            try Part(
                [TestRun.commerce, command], settings: settings,
                log: "\(scratch.path)/\(command).log")
        }
        for part in parts { try part.awaitLine("waiting for MariaDB") }
        for part in parts { part.signal(SIGTERM) }
        // Who waits to the end gives up, with 78.
        for part in parts { #expect(part.end(within: 30) == 0, "\(contents(of: part.log))") }
    }

    @Test func `a killed responder under load doubles nothing`() throws {
        let shop = try Shop()
        let books = try prepare(shop)
        let load = Load(on: shop)
        try load.pass(100)
        shop.commerce.killNow()
        _ = try load.end()
        try shop.startSuccessor()
        try shop.waitUntilReady()
        // Its open transactions are gone as soon as the server has noticed.
        let isSound = try eventually { try books.discrepancies() == [] ? true : nil }
        #expect(isSound != nil)
        #expect(try shop.post("/api/v1/orders", order(25, [(25, 1)], paying: 2_500)).status == 200)
    }
}
