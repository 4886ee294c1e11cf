import Testing

/// Clients that take their time, or more than their share, keep nobody else waiting.
@Suite struct SlowClients {
    private let shop: Shop

    init() throws { shop = try Shop() }

    /// As `slowhttptest` knows it.
    private enum Slowness: String, CaseIterable {
        case header = "-H"
        case body = "-B"
        case reading = "-X"
    }

    private static let connectionsOfAKind = 300
    private static let seconds = 7

    private func startSlowClients(_ slowness: Slowness) throws -> Part {
        let arguments = [
            "-c", "\(Self.connectionsOfAKind)", "-r", "\(Self.connectionsOfAKind)", "-i", "1",
            "-l", "\(Self.seconds)", "-p", "20", "-t", slowness == .body ? "POST" : "GET",
            "-u", "http://127.0.0.1:\(shop.port)/products/101",
        ]
        return try Part(
            ["slowhttptest", slowness.rawValue] + arguments,
            log: "\(shop.folder)/slow\(slowness.rawValue).log")
    }

    /// The most connections that its report ever names.
    private func connectionsMax(_ report: String) -> Int {
        let plain = report.replacing(#/\u{1B}\[[0-9;]*[A-Za-z]/#, with: "")
        return plain.matches(of: #/connected: *([0-9]+)/#).compactMap { Int($0.output.1) }.max()
            ?? 0
    }

    @Test func `slow headers, bodies and readers keep nobody waiting`() throws {
        let books = try Load.prepare(shop)
        let calm = Load(on: shop, threads: 2)
        try calm.pass(200)
        let before = try calm.end()
        let load = Load(on: shop, threads: 2)
        let slow = try Slowness.allCases.map(startSlowClients)
        for client in slow {
            #expect(client.end(within: 60) == 0)
            let report = contents(of: client.output)
            #expect(connectionsMax(report) > Self.connectionsOfAKind / 2, "\(report)")
        }
        let beside = try load.end()
        print(
            "p99 \(before.p99Milliseconds) ms alone,",
            "\(beside.p99Milliseconds) ms beside slow clients")
        #expect(before.faults == [] && beside.faults == [])
        #expect(try books.discrepancies() == [])
    }

    @Test func `one address has two hundred requests under way at a time, others have theirs`()
        throws
    {
        let head = """
            POST /api/v1/orders HTTP/1.1\r
            Host: localhost\r
            X-Client: 203.0.113.7\r
            Content-Length: 1000\r
            \r
            [
            """
        func open(_ count: Int) throws -> [RawConnection] {
            try (0..<count).map { _ in
                let connection = try RawConnection(port: shop.port)
                connection.send(Array(head.utf8))
                return connection
            }
        }
        // In two parts with a pause between them, or there would be too many a second.
        let first = try open(150)
        #expect(!first.contains { $0.isReadable(withinMilliseconds: 12) })
        let second = try open(150)
        let refused = eventually { second.first { $0.isReadable(withinMilliseconds: 0) } }
        let answer = String(decoding: try #require(refused).receive(), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 429 "))
        #expect(answer.contains("TOO_MANY_REQUESTS"))
        let other = try shop.get("/api/v1/users/25", ["X-Client": "203.0.113.8"])
        #expect(other.status == 200)
        withExtendedLifetime(first) {}
    }
}
