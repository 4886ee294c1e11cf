import Glibc
import Testing

/// Probes are answered whatever the shop's own workers wait for.
@Suite struct ProbesUnderPressure {
    /// Runs `body` while every worker of a shop waits.
    private func blocking(
        _ shop: Shop, workers: Int, _ body: () throws -> Void
    ) throws {
        try shop.locking("payment_history") {
            let asked = (0..<(workers * 2)).map { _ in
                Beside { try shop.newClient().get("/api/v1/users/25/payments").status }
            }
            let busy = try eventually { () -> Bool? in
                try shop.metrics()["commerce_workers_busy"] == Double(workers) ? true : nil
            }
            #expect(busy == true)
            try body()
            for answer in asked { #expect([200, 503].contains(try answer.value())) }
        }
    }

    @Test func `livez, readyz and metrics are answered at once while every worker waits`() throws {
        let shop = try Shop(["COMMERCE_WORKERS": "3"])
        try blocking(shop, workers: 3) {
            for path in ["/livez", "/metrics", "/readyz", "/livez"] {
                let (answer, took) = try timed { try shop.newClient().get(path) }
                #expect(answer.status == 200 && took < 1, "\(path): \(answer.status), \(took) s")
            }
            let page = try shop.metrics()
            #expect(page["commerce_workers_busy"] == 3)
            #expect(page["commerce_requests_in_hand"] == 3)
            #expect(page["commerce_pool_in_use{pool=\"reads\"}"] == 3)
        }
    }

    @Test func `a database that hangs costs readyz its bound and the others nothing`() throws {
        let shop = try Shop(hasProxy: true)
        let proxy = try #require(shop.proxy)
        #expect(try shop.get("/readyz").status == 200)
        proxy.hang()
        // More at a time than there are threads for probes.
        let ready = (0..<12).map { _ in
            Beside { try timed { try shop.newClient().get("/readyz") } }
        }
        let balances = (0..<4).map { _ in
            Beside { try shop.newClient().get("/api/v1/users/25") }
        }
        for path in ["/livez", "/metrics", "/livez"] {
            let (answer, took) = try timed { try shop.newClient().get(path) }
            #expect(answer.status == 200 && took < 1, "\(path): \(answer.status), \(took) s")
        }
        for probe in ready {
            let (answer, took) = try probe.value()
            try expectProblem(answer, 503, "DATABASE_UNREACHABLE")
            #expect(took < 8, "\(took) s")
        }
        for balance in balances { #expect(try balance.value().status == 503) }
        #expect(try shop.metrics().values["commerce_database_up"] == 0)
        proxy.cut()
        try proxy.mend()
        try shop.waitUntilReady()
    }

    @Test func `the notifier is asked through nginx as the worker is`() throws {
        let shop = try Shop()
        let notifier = try Part(
            [TestRun.commerce, "notify"],
            settings: try shop.database.settings().merging([
                // Nobody is there.
                "COMMERCE_AMQP_URL": "amqp://127.0.0.1:1",
                "COMMERCE_NOTIFICATION_FILE": "\(shop.folder)/n.jsonl",
                "COMMERCE_NOTIFY_SOCKET": "\(shop.folder)/notify.sock",
            ]) { $1 }, log: "\(shop.folder)/notifier.log")
        try notifier.awaitLine("waiting for RabbitMQ")
        for path in ["/notify/livez", "/notify/readyz"] {
            #expect(try shop.get(path).status == 200)
        }
        #expect(try shop.get("/notify/nowhere").status == 404)
        let page = try MetricsPage(shop.get("/notify/metrics"))
        #expect(try page.complaints(in: shop.folder) == "")
        #expect(page.explained == page.families)
        #expect(page.values["commerce_broker_up"] == 0)
        #expect(page["commerce_database_up"] == 1)
        #expect(page.text.contains("role=\"notify\""))
        notifier.signal(SIGTERM)
        #expect(notifier.end(within: 30) == 0)
        #expect(access("\(shop.folder)/notify.sock", F_OK) != 0)
    }

    @Test func `the probes' socket goes with the process and has a successor's in its place`()
        throws
    {
        let shop = try Shop()
        let socket = "\(shop.folder)/commerce.sock.probes"
        #expect(access(socket, F_OK) == 0)
        let first = shop.commerce
        try shop.startSuccessor()
        first.signal(SIGTERM)
        #expect(first.end(within: 20) == 0)
        #expect(try shop.get("/livez").status == 200)
        let second = shop.commerce
        second.signal(SIGTERM)
        #expect(second.end(within: 20) == 0)
        #expect(access(socket, F_OK) != 0)
    }

    @Test func `readyz says on new connections too that the process drains`() throws {
        let shop = try Shop()
        let commerce = shop.commerce
        let (ready, live) = try shop.holding("SELECT * FROM users WHERE id = 26 FOR UPDATE") {
            let pending = Beside {
                try shop.newClient().post("/api/v1/users/26/charge", charge(1_000), key: "one")
            }
            try shop.waitForBlockedSession()
            commerce.signal(SIGTERM)
            let isDraining = eventually {
                contents(of: commerce.log).contains("draining") ? true : nil
            }
            #expect(isDraining == true)
            defer { withExtendedLifetime(pending) {} }
            return (try shop.newClient().get("/readyz"), try shop.newClient().get("/livez"))
        }
        try expectProblem(ready, 503, "DRAINING")
        #expect(live.status == 200)
        #expect(commerce.end(within: 20) == 0)
    }

    private static let probes = ["/", "/livez", "/readyz", "/metrics", "/status", "/status.json"]

    @Test func `the probes' socket answers probes only, and the main one all the rest`() throws {
        let shop = try Shop()
        let (nginx, port) = try Shop.startNginx(
            in: shop.folder, named: "crossed",
            edits: [
                ("commerce.sock;", "commerce.sock.main;"),
                ("commerce.sock.probes;", "commerce.sock;"),
                ("commerce.sock.main;", "commerce.sock.probes;"),
            ])
        defer { nginx.stop() }
        let client = Client(port: port)
        let gets = [
            "/products/25", "/products/popular", "/api/v1/products", "/api/v1/users/25",
            "/api/v1/users/25/orders", "/api/v1/users/25/payments", "/api/v1/orders/1", "/nowhere",
        ]
        for path in Self.probes + gets {
            try expectProblem(try client.get(path), 404, "NOT_FOUND", nil, "\(path)")
        }
        for (path, body) in [
            ("/api/v1/orders", order(25, [(101, 1)], paying: 2_000)),
            ("/api/v1/users/25/charge", charge(1_000)), ("/api/v1/orders/1/cancel", ""),
        ] {
            try expectProblem(
                try client.post(path, body, key: "k"), 404, "NOT_FOUND", nil, "\(path)")
        }
        #expect(try shop.hasExactly([]))
        #expect(try shop.points(25) == 100_000)
        for path in Self.probes { #expect(try shop.get(path).status == 200, "\(path)") }
    }

    @Test func `an inherited socket alone is enough, and then it takes the probes too`() throws {
        let scratch = try ScratchFolder()
        let database = try ShopDatabase(in: scratch.path)
        let socket = try InheritedSocket(at: "\(scratch.path)/c.sock")
        let part = try Part(
            [TestRun.commerce, "serve"], settings: database.settings(),
            log: "\(scratch.path)/c.log", input: socket.descriptor)
        #expect(
            eventually(within: 30) { contents(of: part.log).contains("serving") ? 1 : nil } != nil)
        #expect(contents(of: part.log).contains("probes are answered on the main socket only"))
        #expect(access("\(scratch.path)/c.sock.probes", F_OK) != 0)
        let (nginx, port) = try Shop.startNginx(
            in: scratch.path,
            edits: [("commerce.sock;", "c.sock;"), ("commerce.sock.probes;", "c.sock;")])
        let client = Client(port: port)
        for path in Self.probes + ["/products/25", "/api/v1/users/25"] {
            #expect(try client.get(path).status == 200, "\(path)")
        }
        nginx.stop()
        part.signal(SIGTERM)
        #expect(part.end(within: 20) == 0)
    }
}
