import Glibc
import Testing

/// A stop or a new version costs nobody an answer.
@Suite struct Stopping {
    @Test func `a second responder takes over under load without a failed request`() throws {
        let shop = try Shop()
        let books = try Load.prepare(shop)
        let load = Load(on: shop)
        try load.pass(100)
        let first = shop.commerce
        try shop.startSuccessor()
        first.signal(SIGTERM)
        #expect(first.end(within: 30) == 0)
        try load.pass(100)
        #expect(try load.end().faults == [])
        #expect(try books.discrepancies() == [])
    }

    @Test func `a restart on an inherited socket loses no request`() throws {
        let shop = try Shop(inheritsSocket: true)
        let books = try Load.prepare(shop)
        let load = Load(on: shop)
        try load.pass(100)
        let first = shop.commerce
        first.signal(SIGTERM)
        // As systemd does it: the next begins when the last has ended.
        #expect(first.end(within: 30) == 0)
        try shop.startSuccessor()
        try load.pass(100)
        #expect(try load.end().faults == [])
        #expect(try books.discrepancies() == [])
    }

    /// Stops in a row; `COMMERCE_TEST_STOPS` may ask for more of them.
    private static let stops = TestRun.environment("COMMERCE_TEST_STOPS").flatMap(Int.init) ?? 8
    /// That drain at one time, each for up to ten seconds.
    private static let drainingMax = 10

    @Test func `stop after stop under load fails no request`() throws {
        let shop = try Shop(["COMMERCE_DATABASE_POOL": "4"])
        let books = try Load.prepare(shop)
        let load = Load(on: shop)
        var stopped: [Part] = []
        for _ in 1...Self.stops {
            try load.pass(100)
            let old = shop.commerce
            try shop.startSuccessor()
            old.signal(SIGTERM)
            stopped.append(old)
            if let oldest = stopped.dropLast(Self.drainingMax).last {
                #expect(oldest.end(within: 60) == 0)
            }
        }
        for part in stopped { #expect(part.end(within: 60) == 0) }
        try load.pass(100)
        let report = try load.end()
        print(
            "\(stopped.count) stops under a load of \(report.seconds.count) requests,",
            "p99 \(report.p99Milliseconds) ms")
        #expect(report.faults == [])
        #expect(try books.discrepancies() == [])
    }

    @Test func `a rolling restart of two responders fails no request`() throws {
        let shop = try Shop(["COMMERCE_LOG_REQUESTS": "all"], hasNeighbor: true)
        let books = try Load.prepare(shop)
        let load = Load(on: shop)
        try load.pass(100)
        let (first, second) = (shop.commerce, try #require(shop.neighbor))
        first.signal(SIGTERM)
        #expect(first.end(within: 60) == 0)
        try shop.startSuccessor()
        try waitUntilUsed(shop.commerce)
        second.signal(SIGTERM)
        #expect(second.end(within: 60) == 0)
        try shop.restartNeighbor()
        try waitUntilUsed(try #require(shop.neighbor))
        #expect(try load.end().faults == [])
        #expect(try books.discrepancies() == [])
    }

    /// nginx leaves a server alone for ten seconds when it could not be reached.
    private func waitUntilUsed(_ responder: Part) throws {
        let isUsed = eventually(within: 60, pauseMilliseconds: 100) {
            contents(of: responder.log).contains("/products/") ? true : nil
        }
        if isUsed == nil { throw Failure("nginx does not use it") }
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

    /// A closed terminal sends SIGHUP, to the same process more than once.
    @Test func `a closed terminal is a stop as any other, and costs nobody an answer`() throws {
        let shop = try Shop()
        for (number, signals) in [[SIGHUP, SIGHUP, SIGHUP], [SIGQUIT], [SIGINT]].enumerated() {
            let commerce = shop.commerce
            let pending = try shop.holding("SELECT * FROM users WHERE id = 25 FOR UPDATE") {
                let key = "key-\(number)"
                let pending = Beside {
                    try shop.newClient().post("/api/v1/users/25/charge", charge(1_000), key: key)
                }
                try shop.waitForBlockedSession()
                for signal in signals {
                    commerce.signal(signal)
                    usleep(100_000)
                }
                let isDraining = eventually {
                    commerce.ended != nil || contents(of: commerce.log).contains("draining")
                        ? true : nil
                }
                #expect(isDraining != nil)
                return pending
            }
            #expect(try pending.value().status == 200, "\(signals)")
            #expect(commerce.end(within: 30) == 0, "\(signals)")
            try shop.startSuccessor()
        }
        #expect(try shop.points(25) == 103_000)
    }

    @Test func `signals that ask for no stop end nothing`() throws {
        let shop = try Shop(hasWorker: true)
        let parts = [shop.commerce, try #require(shop.worker)]
        for part in parts {
            for signal in [
                SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGXFSZ, SIGCHLD,
                SIGWINCH, SIGURG, SIGCONT,
            ] { part.signal(signal) }
        }
        usleep(500_000)
        for part in parts { #expect(part.ended == nil) }
        #expect(try shop.get("/livez").status == 200)
    }

    @Test func `SIGHUP ends the worker and the notifier as SIGTERM does`() throws {
        let scratch = try ScratchFolder()
        let database = try ShopDatabase(in: scratch.path)
        let settings = try database.settings().merging([
            "COMMERCE_NOTIFICATION_FILE": "\(scratch.path)/n.jsonl",
            "COMMERCE_AMQP_URL": "amqp://127.0.0.1:1",
            "COMMERCE_WORK_SOCKET": "\(scratch.path)/work.sock",
            "COMMERCE_NOTIFY_SOCKET": "\(scratch.path)/notify.sock",
        ]) { $1 }
        let parts = try [("work", "working"), ("notify", "waiting for RabbitMQ")].map {
            let part = try Part(
                [TestRun.commerce, $0], settings: settings, log: "\(scratch.path)/\($0).log")
            try part.awaitLine($1)
            return part
        }
        for part in parts {
            part.signal(SIGHUP)
            usleep(100_000)
            part.signal(SIGHUP)
        }
        for part in parts {
            #expect(part.end(within: 30) == 0)
            #expect(contents(of: part.log).contains("stopped"))
        }
        for name in ["work", "notify"] {
            #expect(access("\(scratch.path)/\(name).sock", F_OK) != 0)
        }
    }

    @Test func `a process that was started to outlive its terminal does`() throws {
        let scratch = try ScratchFolder()
        let database = try ShopDatabase(in: scratch.path)
        let settings = try database.settings().merging(
            ["COMMERCE_SOCKET": "\(scratch.path)/c.sock"]) { $1 }
        let part = try Part.responder(
            settings, launcher: ["nohup"], log: "\(scratch.path)/serve.log")
        part.signal(SIGHUP)
        usleep(500_000)
        #expect(part.ended == nil && !contents(of: part.log).contains("draining"))
        part.signal(SIGTERM)
        #expect(part.end(within: 30) == 0)
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
            commerce.signal(SIGINT)  // At once, for the charge waits no longer than a second.
            let status = commerce.end(within: 15)
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
        for (part, signal) in zip(parts, [SIGTERM, SIGHUP, SIGQUIT]) { part.signal(signal) }
        // Who waits to the end gives up, with 78.
        for part in parts { #expect(part.end(within: 30) == 0, "\(contents(of: part.log))") }
    }

    @Test func `a killed responder under load doubles nothing`() throws {
        let shop = try Shop()
        let books = try Load.prepare(shop)
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
