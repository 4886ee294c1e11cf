import Glibc
import Testing

/// The metrics count what happens, in a form that Prometheus reads.
@Suite struct Metrics {
    private let shop: Shop

    init() throws { shop = try Shop(hasProxy: true) }

    private func requests(_ route: String, _ method: String, _ status: String) -> String {
        "commerce_http_requests_total{route=\"\(route)\",method=\"\(method)\",status=\"\(status)\"}"
    }

    @Test func `Prometheus reads the page and every family says what it is`() throws {
        _ = try shop.get("/products/25")
        _ = try shop.post("/api/v1/orders", order(25, [(101, 1)], paying: 2_000))
        let page = try shop.metrics()
        #expect(try page.complaints(in: shop.folder) == "")
        #expect(Set(page.families).count == page.families.count, "a family is announced twice")
        #expect(page.explained == page.families)
        #expect(page.families.allSatisfy { $0.hasPrefix("commerce_") })
        #expect(page.values.values.allSatisfy { !$0.isNaN })
    }

    @Test func `requests are counted and timed by route, method and status, failed ones too`()
        throws
    {
        let shop = shop
        for _ in 1...3 { _ = try shop.get("/products/25") }
        for _ in 1...2 { _ = try shop.get("/products/x") }
        _ = try shop.request("HEAD", "/products/25")
        _ = try shop.request("BREW", "/api/v1/orders")
        _ = try shop.get("/nowhere")
        try shop.flushMemcached()
        try #require(shop.proxy).cut()
        #expect(try shop.get("/api/v1/users/25").status == 503)
        let page = try shop.metrics()
        for (route, method, status, count) in [
            ("/products/{productId}", "GET", "2xx", 3.0),
            ("/products/{productId}", "GET", "4xx", 2),
            ("/products/{productId}", "HEAD", "2xx", 1), ("/api/v1/orders", "other", "4xx", 1),
            ("(none)", "GET", "4xx", 1), ("/api/v1/users/{userId}", "GET", "5xx", 1),
        ] {
            #expect(page[requests(route, method, status)] == count, "\(route) \(method) \(status)")
            let series = "{route=\"\(route)\",method=\"\(method)\",status=\"\(status)\"}"
            let name = "commerce_http_request_duration_seconds"
            #expect(page["\(name)_count\(series)"] == count)
            let all = series.dropLast() + ",le=\"+Inf\"}"
            #expect(page["\(name)_bucket\(all)"] == count)
            #expect(page["\(name)_sum\(series)"] > 0)
        }
        // What has not happened is there to be seen at 0.
        #expect(page.values[requests("/api/v1/orders", "POST", "5xx")] == 0)
        #expect(page["commerce_database_up"] == 0)
        try #require(shop.proxy).mend()
        try shop.waitUntilReady()
        _ = try shop.get("/api/v1/users/25")
        #expect(try shop.metrics()["commerce_database_up"] == 1)
    }

    @Test func `commands and their keys are counted by what became of them`() throws {
        let shop = shop
        let body = order(25, [(101, 1)], paying: 2_000)
        #expect(try shop.post("/api/v1/orders", body, key: "one").status == 200)
        #expect(try shop.post("/api/v1/orders", body, key: "one").isReplayed)
        // As MariaDB knows it, and not memcached.
        try shop.flushMemcached()
        #expect(try shop.post("/api/v1/orders", body, key: "one").isReplayed)
        #expect(try shop.post("/api/v1/orders", body).status == 200)
        let other = order(25, [(101, 2)], paying: 4_000)
        #expect(try shop.post("/api/v1/orders", other, key: "one").status == 422)
        let tooMany = order(25, [(25, 10)], paying: 25_000)
        #expect(try shop.post("/api/v1/orders", tooMany, key: "two").status == 409)
        let concurrent = try shop.holding("SELECT * FROM users WHERE id = 26 FOR UPDATE") {
            let first = Beside {
                try shop.newClient().post("/api/v1/users/26/charge", charge(1_000), key: "three")
            }
            try shop.waitForBlockedSession()
            let second = try shop.post("/api/v1/users/26/charge", charge(1_000), key: "three")
            #expect(second.status == 409)
            return first
        }
        #expect(try concurrent.value().status == 200)
        try #require(shop.proxy).cut()
        #expect(try shop.post("/api/v1/users/27/charge", charge(1_000), key: "four").status == 503)

        let page = try shop.metrics()
        for (kind, result, count) in [
            ("order", "accepted", 2.0), ("order", "replayed", 2), ("order", "refused", 2),
            ("order", "failed", 0), ("charge", "accepted", 1), ("charge", "refused", 1),
            ("charge", "failed", 1), ("cancel", "accepted", 0),
        ] {
            let series = "commerce_commands_total{kind=\"\(kind)\",result=\"\(result)\"}"
            #expect(page.values[series] == count, "\(series)")
        }
        for (result, count) in [
            ("first", 4.0), ("replayed", 2), ("in_progress", 1), ("reused", 1),
        ] {
            let series = "commerce_idempotency_total{result=\"\(result)\"}"
            #expect(page.values[series] == count, "\(series)")
        }
        #expect(page[cache("idempotency", "hit")] == 3)
        #expect(page[cache("idempotency", "miss")] == 5)
    }

    private func cache(_ cache: String, _ result: String) -> String {
        "commerce_cache_requests_total{cache=\"\(cache)\",result=\"\(result)\"}"
    }

    @Test func `the cache's hits, misses, fills and failures are counted`() throws {
        try shop.flushMemcached()
        let before = try shop.metrics()
        for _ in 1...3 { #expect(try shop.get("/products/25").status == 200) }
        let after = try shop.metrics()
        func grown(_ series: String) -> Double { after[series] - before[series] }
        // An entry lives for a second at least; a slow machine may need a second miss.
        #expect(grown(cache("product", "miss")) >= 1)
        #expect(grown(cache("product", "hit")) + grown(cache("product", "miss")) == 3)
        #expect(grown("commerce_cache_fills_total{cache=\"product\"}") >= 1)
        #expect(after["commerce_cache_up"] == 1)

        shop.killMemcached()
        for _ in 1...2 { #expect(try shop.get("/products/25").status == 200) }
        let down = try shop.metrics()
        #expect(down[cache("product", "error")] == 2)
        #expect(down.values["commerce_cache_up"] == 0)
    }

    @Test func `lost races and waits for a connection are counted`() throws {
        let shop = try Shop(["COMMERCE_DATABASE_POOL": "1", "COMMERCE_LEDGER": "version"])
        let answers = try shop.crowd(60, threads: 12) { client, number in
            try client.post(
                "/api/v1/orders", order(2 + number, [(101, 1)], paying: 2_000)
            ).status
        }
        #expect(answers.contains(200))
        let page = try shop.metrics()
        #expect(page["commerce_ledger_batch_commands_count"] > 0)
        #expect(page["commerce_ledger_settle_duration_seconds_sum"] > 0)
        #expect(page["commerce_pool_wait_seconds_count{pool=\"ledger\"}"] >= 60)
        #expect(page["commerce_pool_wait_seconds_sum{pool=\"ledger\"}"] > 0, "nobody waited")
        #expect(page["commerce_pool_connections{pool=\"ledger\"}"] == 1)
        #expect(page["commerce_pool_in_use{pool=\"ledger\"}"] == 0)

        // A row that somebody else has changed meanwhile is a lost race.
        let blocked = try shop.holding(
            "UPDATE stock SET version = version + 1 WHERE product_id = 25"
        ) {
            let blocked = Beside {
                try shop.newClient().post("/api/v1/orders", order(25, [(25, 1)], paying: 2_500))
            }
            try shop.waitForBlockedSession()
            return blocked
        }
        #expect(try blocked.value().status == 200)
        let after = try shop.metrics()
        #expect(after["commerce_ledger_conflicts_total"] > page["commerce_ledger_conflicts_total"])
        #expect(after["commerce_ledger_retries_total"] > page["commerce_ledger_retries_total"])
    }

    @Test func `a lost answer to COMMIT and a pool without a connection are counted`() throws {
        let shop = try Shop(["COMMERCE_DATABASE_POOL": "1"], hasProxy: true)
        try #require(shop.proxy).lose(.answerToCommit)
        #expect(try shop.post("/api/v1/orders", order(25, [(101, 1)], paying: 2_000)).status == 200)
        #expect(try shop.metrics()["commerce_ledger_unknown_commits_total"] == 1)

        let held = try shop.locking("payment_history") {
            let asked = (0..<3).map { _ in
                Beside { try shop.newClient().get("/api/v1/users/25/payments").status }
            }
            return try asked.map { try $0.value() }
        }
        #expect(held.allSatisfy { $0 == 503 })
        #expect(try shop.metrics()["commerce_pool_timeouts_total{pool=\"reads\"}"] == 2)
    }

    @Test func `the process shows its memory, descriptors, time and version`() throws {
        let page = try shop.metrics()
        #expect((1e6...1e9).contains(page["commerce_process_resident_memory_bytes"]))
        let open = page["commerce_process_open_fds"]
        #expect(open > 5 && open < page["commerce_process_max_fds"])
        let age = Double(time(nil)) - page["commerce_process_start_time_seconds"]
        #expect((-1...60).contains(age), "\(age)")
        #expect(page["commerce_process_cpu_seconds_total"] > 0)
        let build = page.values.first { $0.key.hasPrefix("commerce_build_info{") }
        #expect(build?.key.contains("role=\"serve\"") == true)
        #expect(build?.value == 1)
        #expect(page["commerce_workers"] == 128)
        // Who asks is the probes' and not the shop's.
        #expect(page.values["commerce_workers_busy"] == 0)
        #expect(page.values["commerce_requests_in_hand"] == 0)
        #expect(page.values["commerce_ledger_queued"] == 0)
    }
}
