import FoundationEssentials
import Glibc
import HTTPReceiver
import LogLines
import Logging
import Testing

/// The log's lines are what they promise to be.
@Suite struct LogLinesTests {
    /// What a handler writes, through a pipe as large as the kernel makes it.
    private func written(
        _ format: LineLogHandler.Format = .json, level: Logger.Level = .info,
        _ log: (Logger) -> Void
    ) throws -> [String] {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure("no pipe") }
        defer { for end in ends { close(end) } }
        let output = LineOutput(to: ends[1])
        var logger = Logger(label: "test") { _ in LineLogHandler(format, to: output) }
        logger.logLevel = level
        log(logger)
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        let count = max(0, read(ends[0], &bytes, bytes.count))
        let text = String(decoding: bytes[..<count], as: UTF8.self)
        #expect(text.isEmpty || text.hasSuffix("\n"))
        return text.split(separator: "\n").map(String.init)
    }

    private struct Line: Decodable {
        let time: String
        let level: String
        let message: String
        let cause: String?
        let status: Int?
        let milliseconds: Double?
        let truncated: Bool?
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let lines_lost: Int?
    }

    private func decoded(_ line: String) throws -> Line {
        try JSONDecoder().decode(Line.self, from: Data(line.utf8))
    }

    @Test func `whatever is logged is one line of JSON`() throws {
        let hostile = "a\"b\\c\nd\r\t\u{0}\u{1b}[31m\u{7f}\u{85}\u{2028}\u{202E}\u{E0001}한글😀"
        let lines = try written { logger in
            logger.warning(
                "\(hostile)",
                metadata: [
                    "cause": "\(hostile)", "status": .stringConvertible(503),
                    "milliseconds": .stringConvertible(1.25), "time": "not the time",
                ])
        }
        #expect(lines.count == 1)
        let line = try decoded(try #require(lines.first))
        #expect(line.message == hostile && line.cause == hostile)
        #expect(line.status == 503 && line.milliseconds == 1.25)
        #expect(line.level == "warning" && line.truncated == nil)
        #expect(lines[0].contains("\"time_\":\"not the time\""))
        #expect(lines[0].utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
        #expect(lines[0].unicodeScalars.filter(\.isHidden).isEmpty)
    }

    @Test func `the time is RFC 3339 in UTC, to the millisecond`() throws {
        let before = Date()
        let line = try decoded(try #require(try written { $0.info("now") }.first))
        #expect(line.time.count == 24 && line.time.hasSuffix("Z"))
        let time = try Date(
            line.time, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        #expect(abs(time.timeIntervalSince(before)) < 60)
    }

    @Test func `a line has a bound, and is JSON at it too`() throws {
        let long = String(repeating: "한\n", count: 10_000)
        let lines = try written { logger in
            logger.error("\(long)", metadata: ["cause": "\(long)"])
            logger.error(
                "many",
                metadata: Dictionary(
                    uniqueKeysWithValues: (0..<100).map { ("key\($0)", "\(long)") }))
        }
        #expect(lines.count == 2)
        for line in lines {
            #expect(line.utf8.count < 4_096)
            _ = try decoded(line)
        }
        #expect(try decoded(lines[0]).truncated == nil)
        #expect(try decoded(lines[1]).truncated == true)
    }

    @Test func `text is one line for people`() throws {
        let lines = try written(.text) { logger in
            logger.warning("not\nwell", metadata: ["cause": "two words", "status": "503"])
            logger.debug("not at this level")
        }
        #expect(lines.count == 1)
        #expect(lines[0].hasSuffix(#"Z warning not\nwell cause="two words" status=503"#))
    }

    @Test func `a reader that stalls costs lines, is not waited for, and is told how many`() throws
    {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure("no pipe") }
        defer { for end in ends { close(end) } }
        let output = LineOutput(to: ends[1])
        let logger = Logger(label: "test") { _ in LineLogHandler(.json, to: output) }
        let filler = String(repeating: "x", count: 1_000)
        let (_, took) = timed { for _ in 0..<1_000 { logger.info("\(filler)") } }
        #expect(took < 2, "\(took) s")
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(ends[0], &bytes, bytes.count)
        let kept = bytes[..<count].filter { $0 == 10 }.count
        #expect(kept > 10 && kept < 1_000)
        logger.info("again")
        logger.info("and again")
        let rest = read(ends[0], &bytes, bytes.count)
        let lines = bytes[..<rest].split(separator: 10).map { String(decoding: $0, as: UTF8.self) }
        #expect(try lines.map { try decoded($0).lines_lost } == [1_000 - kept, nil])
    }
}

/// What operators find in the log of a running shop.
@Suite struct ShopLog {
    private struct Line: Decodable {
        let level: String
        let message: String
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let request_id: String?
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let trace_id: String?
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let user_id: Int?
        let route: String?
        let method: String?
        let status: Int?
        let milliseconds: Double?
        let code: String?
        let cause: String?
        let target: String?
        let type: String?
    }

    /// Every line is JSON: one that is not fails the test.
    private func lines(of part: Part) throws -> [Line] {
        try contents(of: part.log).split(separator: "\n").map { line in
            try JSONDecoder().decode(Line.self, from: Data(line.utf8))
        }
    }

    @Test func `a failed request is a line with its cause, and nothing else is`() throws {
        let shop = try Shop(hasProxy: true)
        _ = try shop.get("/api/v1/users/25")
        _ = try shop.get("/api/v1/users/999")
        try #require(shop.proxy).cut()
        let failed = try shop.get("/api/v1/users/25/orders?limit=1")
        #expect(failed.status == 503)
        let about = try lines(of: shop.commerce).filter { $0.route != nil }
        #expect(about.count == 1)
        let line = try #require(about.first)
        #expect(line.message == "request failed" && line.level == "warning")
        #expect(line.request_id == failed["X-Request-Id"] && line.trace_id == line.request_id)
        #expect(line.route == "/api/v1/users/{userId}/orders" && line.method == "GET")
        #expect(line.status == 503 && line.code == "SERVICE_UNAVAILABLE" && line.user_id == 25)
        #expect(line.cause?.contains("MariaDB") == true)
        #expect((line.milliseconds ?? -1) >= 0)
    }

    @Test func `refused and all requests are logged on demand, without names, keys or bodies`()
        throws
    {
        for (scope, count) in [("refused", 1), ("all", 3)] {
            let shop = try Shop(["COMMERCE_LOG_REQUESTS": scope])
            let before = try lines(of: shop.commerce).count { $0.route != nil && $0.status == 200 }
            _ = try shop.get("/api/v1/users/25")
            _ = try shop.post("/api/v1/users/25/charge", charge(1_000), key: "my-secret-key")
            let short = order(1, [(25, 1)], paying: 2_500)
            #expect(try shop.post("/api/v1/orders", short, key: "another-secret").status == 409)
            let about = try lines(of: shop.commerce).filter { $0.user_id != nil }
            #expect(about.count == count, "\(scope), \(before)")
            #expect(about.last?.code == "INSUFFICIENT_POINTS" && about.last?.user_id == 1)
            let text = contents(of: shop.commerce.log)
            for secret in ["secret", "김테스트", "010-1234", "chargeAmount", shop.database.password] {
                #expect(!text.contains(secret), "\(secret)")
            }
        }
    }

    @Test func `a request can be followed from nginx's log to the delivered event`() throws {
        let shop = try Shop(["COMMERCE_LOG_REQUESTS": "all"])
        let receiver = try Receiver()
        let added = try Finished(
            [TestRun.commerce, "webhooks", "add", receiver.url],
            settings: try shop.database.settings().merging(
                ["COMMERCE_WEBHOOKS_ALLOW_PRIVATE": "1"]) { $1 }, in: shop.folder)
        #expect(added.status == 0, "\(added.errors)")
        let worker = try Part.worker(
            try shop.database.settings().merging([
                "COMMERCE_LOG_LEVEL": "debug", "COMMERCE_WORK_SOCKET": "\(shop.folder)/work.sock",
            ]) { $1 }, in: shop.folder)

        let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        let traced = try shop.request(
            "POST", "/api/v1/orders",
            ["traceparent": "00-\(trace)-00f067aa0ba902b7-01", "Content-Type": "application/json"],
            body: Array(order(25, [(101, 1)], paying: 2_000).utf8))
        let plain = try shop.post("/api/v1/orders", order(26, [(102, 1)], paying: 2_000))
        #expect(traced.status == 200 && plain.status == 200)
        for (answer, trace) in [(traced, trace), (plain, try #require(plain["X-Request-Id"]))] {
            let id = try #require(answer["X-Request-Id"])
            let access = "\(shop.folder)/nginx/access.log"
            let inAccess = eventually { contents(of: access).contains("id=\(id)") ? true : nil }
            #expect(inAccess == true)
            let served = try lines(of: shop.commerce).first { $0.request_id == id }
            #expect(served?.trace_id == trace && served?.route == "/api/v1/orders")
            // To the buyer's notification and to the webhook.
            let delivered = try eventually { () -> [Line]? in
                let found = try lines(of: worker).filter {
                    $0.trace_id == trace && $0.message == "event delivered"
                }
                return found.count == 2 ? found : nil
            }
            #expect(Set((delivered ?? []).compactMap(\.target)) == ["notification", "webhook 1"])
            let arrival = receiver.arrivals.first { arrival in
                arrival.headers["traceparent"]?.hasPrefix("00-\(trace)-") == true
            }
            #expect(arrival?.headers["traceparent"]?.count == 55)
        }
        try expectWorkerAnswers(shop)
    }

    /// The worker's probes, through nginx, and what it has counted by now.
    private func expectWorkerAnswers(_ shop: Shop) throws {
        #expect(try shop.get("/work/livez").status == 200)
        #expect(try shop.get("/work/readyz").status == 200)
        #expect(try shop.get("/work/nowhere").status == 404)
        let page = try MetricsPage(shop.get("/work/metrics"))
        #expect(try page.complaints(in: shop.folder) == "")
        #expect(page.explained == page.families)
        for target in ["notification", "webhook"] {
            let series = "commerce_deliveries_total{target=\"\(target)\",result=\"delivered\"}"
            #expect(page[series] == 2)
        }
        #expect(page["commerce_delivery_delay_seconds_count"] == 4)
        #expect(page["commerce_database_up"] == 1)
    }
}
