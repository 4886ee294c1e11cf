import Glibc
import Testing

/// What an operator is shown and told, by a real Prometheus of a real shop.
@Suite struct Alerts {
    @Test func `every panel has data, and every alert fires for its fault and is quiet without it`()
        async throws
    {
        let shop = try MonitoredShop()
        let empty = try await shop.panelsWithoutData()
        #expect(empty == [])
        let told = #"commerce_deliveries_total{job="notify",target="notification"} > 0"#
        #expect(try !shop.monitoring.client.query(told).isEmpty)
        #expect(try shop.alarms() == [])

        try await shop.fires("CommitOutcomeUnknown") { wait in
            shop.proxy.lose(.answerToCommit)
            try await wait {}
        }
        #expect(try shop.panelOfAlertsHasData())
        try await shop.fires(
            "LedgerConflictsHigh", "MemcachedDown", "ExporterDown", "DeadLetters", "EventsLate",
            "AuditViolation", "RabbitMQDown"
        ) { wait in
            shop.shop.killMemcached()
            shop.monitoring.nginxExporter.killNow()
            shop.broker.killNow()
            try shop.addFailingReceivers()
            try shop.breakTheBooks()
            try await shop.withRival { try await wait { try shop.ageEvents() } }
        }
        try await shop.fires("DeliveriesHeld") { wait in
            try shop.shop.execute("UPDATE shop SET live_generation = NULL")
            try await wait {}
            try shop.shop.execute("UPDATE shop SET live_generation = row_start")
        }
        try await shop.fires("WorkerDown", "NotifierDown") { wait in
            shop.stopWorker()
            shop.stopNotifier()
            try await wait {}
        }
        try await shop.fires("AuditNotRun") { wait in
            try await shop.withAuditsBlocked { try await wait {} }
        }
        try await shop.fires("MariaDBDown", "ErrorRatioHigh") { wait in
            shop.proxy.cut()
            try await wait {}
            try shop.proxy.mend()
        }
        try await shop.fires("WorkersSaturated", "PoolExhausted", "LatencyHigh") { wait in
            try await shop.withOrdersLocked { try await wait {} }
        }
        try await shop.fires("LedgerQueueLong") { wait in
            let throng = Throng(of: shop.shop)
            try await shop.withStockLocked { try await wait { try throng.come() } }
        }
        try await shop.fires("ShopDown") { wait in
            shop.shop.commerce.killNow()
            try await wait {}
        }
        #expect(shop.fired == Monitoring.alerts)
    }

    @Test func `script/server runs Prometheus beside the shop, and stops it with the shop`()
        async throws
    {
        let scratch = try ScratchFolder()
        let port = try freePort(following: 3)
        let server = try Part(
            ["\(TestRun.repository)/script/server", "--monitoring"],
            settings: [
                "COMMERCE_BINARY": TestRun.commerce, "COMMERCE_BUFFER_POOL": "64M",
                "COMMERCE_HTTP_PORT": "\(port)", "COMMERCE_RUN_DIR": scratch.path,
                // Nobody is there: the notifier waits, and tells its metrics.
                "COMMERCE_AMQP_URL": "amqp://127.0.0.1:1",
            ], log: "\(scratch.path)/server.log")
        let status = try await awaited(within: 120) {
            contents(of: server.log).contains("Prometheus: http://127.0.0.1:\(port + 1),")
                ? 0 : server.ended
        }
        try #require(status == 0, "\(contents(of: server.log))")

        let prometheus = PrometheusClient(port: port + 1)
        let jobs = ["mariadb", "nginx", "notify", "prometheus", "serve", "work"]
        let up = try await awaited(within: 60) {
            let up = try prometheus.query("up == 1").compactMap { $0.metric["job"] }.sorted()
            return up == jobs ? up : nil
        }
        #expect(up == jobs)
        #expect(try prometheus.query("mysql_up == 1 and on () nginx_up == 1").count == 1)

        server.signal(SIGTERM)
        #expect(try await awaited(within: 120) { server.ended } == 0)
        for port in port...(port + 3) {
            #expect(throws: (any Error).self) { try Client(port: port).get("/") }
        }
    }

    @Test func `the README says of every alert what to do, and of no other`() {
        let readme = contents(of: TestRun.repository + "/README.md")
        let rows = readme.matches(of: /\n\| `(\w+)` \| (critical|warning) \|/)
        #expect(rows.map { "\($0.1)" }.sorted() == Monitoring.alerts.sorted())
    }
}
