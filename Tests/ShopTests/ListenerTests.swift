import Glibc
import Testing

/// Who may ask the shop for what: its names, its neighbours, and pages of its own.
@Suite struct Listener {
    private let shop: Shop

    init() throws { shop = try Shop() }

    private static let internalPaths = [
        "/status", "/status.json", "/metrics", "/readyz", "/nginx_status", "/work/livez",
        "/notify/metrics", "/%6Detrics", "/status/", "//metrics",
    ]

    /// Sends a request with these lines after its first, and nothing else.
    private func ask(_ line: String, _ lines: [String], _ body: String = "") throws -> Answer {
        let length = body.isEmpty ? [] : ["Content-Length: \(body.utf8.count)"]
        let head = ([line] + lines + length).joined(separator: "\r\n")
        return try shop.newClient().exchange(Array("\(head)\r\n\r\n\(body)".utf8))
    }

    @Test func `another name than the shop's is misdirected, whatever is asked`() throws {
        for host in [
            "evil.example", "evil.example:\(shop.port)", "localhost.evil.example", "127.0.0.2",
            "127.0.0.1.evil.example", "evil-localhost", "0.0.0.0", "[::2]:80", "shop",
        ] {
            for path in ["/livez", "/", "/products/popular", "/products/25", "/metrics", "/x"] {
                let answer = try shop.get(path, ["Host": host])
                try expectProblem(answer, 421, "MISDIRECTED_REQUEST", nil, "\(host) \(path)")
            }
            let key = TestRun.freshName("key")
            let charged = try shop.request(
                "POST", "/api/v1/users/25/charge", ["Host": host, "Idempotency-Key": key],
                body: Array(charge(5_000).utf8))
            try expectProblem(charged, 421, "MISDIRECTED_REQUEST", nil, "\(host)")
        }
        // The address in the request line goes before Host.
        let absolute = try ask(
            "GET http://evil.example/livez HTTP/1.1", ["Host: 127.0.0.1:\(shop.port)"])
        try expectProblem(absolute, 421, "MISDIRECTED_REQUEST")
        #expect(try shop.points(25) == 100_000)
    }

    @Test func `the shop has three names, at whatever port and in whatever case`() throws {
        for host in [
            "127.0.0.1", "localhost", "[::1]", "127.0.0.1:1", "LOCALHOST:\(shop.port)",
            "[::1]:65535", "localhost.",
        ] {
            for path in ["/livez", "/metrics", "/products/25"] {
                #expect(try shop.get(path, ["Host": host]).status == 200, "\(host) \(path)")
            }
        }
        // HTTP/1.0 needs none, and a request of HTTP/1.1 without one is broken.
        #expect(try ask("GET /livez HTTP/1.0", []).status == 200)
        for lines in [[], ["Host:"], ["Host: a b"], ["Host: /"]] {
            let answer = try ask("GET /livez HTTP/1.1", lines)
            try expectProblem(answer, 400, "MALFORMED_REQUEST", nil, "\(lines)")
        }
    }

    @Test func `loopback is listened to in both families`() throws {
        guard hasIPv6 else { return }
        for host in ["127.0.0.1", "[::1]", "localhost"] {
            let finished = try Finished(
                ["curl", "-sg", "--noproxy", "*", "http://\(host):\(shop.port)/readyz"],
                in: shop.folder)
            #expect(finished.output == #"{"status": "ok"}"#, "\(host): \(finished.errors)")
        }
        // IPv4's other addresses of this machine are not.
        let other = try Finished(
            ["curl", "-s", "--noproxy", "*", "http://127.0.0.2:\(shop.port)/livez"],
            in: shop.folder)
        #expect(other.status == 7)
    }

    @Test func `a request that a proxy brings is not of this machine`() throws {
        for field in [
            "Forwarded": "for=127.0.0.1", "Via": "1.1 proxy", "X-Real-IP": "127.0.0.1",
            "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost",
            "X-Forwarded-Proto": "https", "x-forwarded-port": "443", "X-Forwarded-Server": "s",
            "X-Forwarded-Ssl": "on", "X-Forwarded-Prefix": "/", "X-Client-IP": "::1",
            "CF-Connecting-IP": "::1", "True-Client-IP": "::1",
        ] {
            for path in Self.internalPaths {
                let answer = try shop.get(path, [field.key: field.value])
                try expectProblem(answer, 404, "NOT_FOUND", nil, "\(field.key) \(path)")
            }
            #expect(try shop.get("/livez", [field.key: field.value]).status == 200)
        }
    }

    @Test func `a request that a proxy brings counts for the limits`() throws {
        for fields in [["X-Forwarded-For": "192.0.2.7"], ["Via": "1.1 p"], [:]] {
            let answers = try shop.crowd(600, threads: 16) { client, _ in
                try client.get("/products/popular", fields)
            }
            let refused = answers.filter { $0.status == 429 }
            #expect(refused.isEmpty == fields.isEmpty, "\(fields): \(refused.count)")
            #expect(answers.allSatisfy { $0.faults == [] })
        }
    }

    @Test func `no page of another origin changes anything`() throws {
        let own = "127.0.0.1:\(shop.port)"
        for origin in [
            "null", "http://evil.example", "https://\(own)", "http://127.0.0.1",
            "http://127.0.0.1:1", "http://localhost:\(shop.port)", "http://\(own).evil.example",
            "http://\(own)/", "http://evil.example http://\(own)", "http://\(own) null", own,
            "file://", "chrome-extension://x", "http://\(own)@evil.example",
        ] {
            for (method, path) in [
                ("POST", "/api/v1/orders"), ("POST", "/api/v1/users/25/charge"),
                ("POST", "/api/v1/orders/1/cancel"), ("PUT", "/api/v1/orders"),
                ("DELETE", "/products/25"), ("PATCH", "/x"), ("POST", "/products/popular"),
                ("ODD", "/api/v1/orders"),
            ] {
                let answer = try shop.request(
                    method, path, ["Origin": origin, "Idempotency-Key": "foreign"],
                    body: Array(charge(5_000).utf8))
                try expectProblem(answer, 403, "FOREIGN_ORIGIN", nil, "\(origin) \(method) \(path)")
            }
            for path in ["/products/25", "/products/popular", "/api/v1/users/25"] {
                #expect(try shop.get(path, ["Origin": origin]).status == 200)
            }
        }
        #expect(try shop.points(25) == 100_000)
        let several = try ask(
            "POST /api/v1/orders HTTP/1.1",
            ["Host: \(own)", "Origin: http://evil.example", "Origin: http://\(own)"], "[]")
        try expectProblem(several, 403, "FOREIGN_ORIGIN")
    }

    @Test func `the shop's own pages may send what they like`() throws {
        for (number, host) in [
            "127.0.0.1:\(shop.port)", "localhost", "LocalHost:80", "[::1]:\(shop.port)",
        ].enumerated() {
            for (other, origin) in ["http://\(host)", "HTTP://\(host.uppercased())", ""]
                .enumerated()
            {
                let answer = try ask(
                    "POST /api/v1/users/25/charge HTTP/1.1",
                    [
                        "Host: \(host)", "Origin: \(origin)", "Content-Type: application/json",
                        "Idempotency-Key: own-\(number)-\(other)",
                    ], charge(1_000))
                #expect(answer.status == 200, "\(host) \(origin): \(answer.text)")
            }
        }
    }

    @Test func `HTTP 0 point 9 gets nothing of the shop`() throws {
        for path in ["/products/25", "/metrics", "/", "/products/popular", "/status"] {
            let connection = try RawConnection(port: shop.port)
            connection.send(Array("GET \(path)\r\n".utf8))
            let bytes = try #require(connection.receiveAll(patienceSeconds: 20))
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(text.isEmpty || text.contains("HTTP_VERSION_NOT_SUPPORTED"), "\(text)")
        }
    }
}

/// Conditions of a request as RFC 9110 has them, 13.1 and 13.2.2.
@Suite struct Preconditions {
    private let shop: Shop

    init() throws { shop = try Shop() }

    private static let past = "Thu, 01 Jan 1970 00:00:01 GMT"
    private static let future = "Fri, 01 Jan 2100 00:00:00 GMT"
    private static let paths = [
        "/products/popular", "/api/v1/products/popular", "/products/25", "/api/v1/products",
        "/api/v1/users/25", "/api/v1/users/25/orders", "/livez", "/metrics", "/status",
        "/products/popular?x",
    ]

    private func status(_ path: String, _ fields: [String: String]) throws -> [Int] {
        try ["GET", "HEAD"].map { try shop.request($0, path, fields).status }
    }

    @Test func `conditions about a date, and ranges, are ignored where nothing has a date`() throws
    {
        for path in Self.paths {
            for fields in [
                ["If-Unmodified-Since": Self.past], ["If-Unmodified-Since": Self.future],
                ["If-Modified-Since": Self.past], ["If-Modified-Since": Self.future],
                ["If-Unmodified-Since": "x", "If-Modified-Since": "x"],
                ["Range": "bytes=0-1"], ["Range": "bytes=0-1", "If-Range": "\"0-0\""],
                ["Range": "bytes=0-1", "If-Range": Self.past], ["Range": "bytes=9999999-"],
                ["If-Match": "*", "If-Unmodified-Since": Self.past],
                ["If-None-Match": "\"x\"", "If-Modified-Since": Self.future],
            ] {
                // Twice, for nginx may have it from its cache.
                for _ in 1...2 {
                    #expect(try status(path, fields) == [200, 200], "\(path) \(fields)")
                }
            }
        }
        let whole = try shop.get("/products/popular").text
        let conditional = try shop.get(
            "/products/popular", ["If-Unmodified-Since": Self.past, "Range": "bytes=0-1"])
        #expect(conditional.text == whole)
    }

    @Test func `conditions about a tag hold as they say`() throws {
        for (path, tag) in [
            ("/products/25", "\"0-0\""), ("/products/popular", nil), ("/api/v1/users/25", nil),
        ] {
            #expect(try status(path, ["If-Match": "*"]) == [200, 200])
            #expect(try status(path, ["If-Match": "\"x\""]) == [412, 412])
            #expect(try status(path, ["If-None-Match": "*"]) == [304, 304])
            #expect(try status(path, ["If-None-Match": "\"x\", W/\"y\""]) == [200, 200])
            #expect(
                try status(path, ["If-None-Match": "*", "If-Modified-Since": Self.past])
                    == [304, 304])
            guard let tag else { continue }
            #expect(try status(path, ["If-Match": "\"x\", \(tag)"]) == [200, 200])
            #expect(try status(path, ["If-Match": "W/\(tag)"]) == [412, 412])
            #expect(try status(path, ["If-Match": tag, "If-None-Match": tag]) == [304, 304])
            #expect(try status(path, ["If-Match": "\"x\"", "If-None-Match": tag]) == [412, 412])
        }
        try expectProblem(
            try shop.get("/products/25", ["If-Match": "\"1-0\""]), 412, "PRECONDITION_FAILED")
        // A failure stays what it would be without them.
        #expect(try status("/products/999", ["If-Match": "\"x\""]) == [400, 400])
        #expect(try status("/x", ["If-None-Match": "*"]) == [404, 404])
    }

    @Test func `a change under a condition that cannot hold is not made`() throws {
        for tag in ["*", "\"0-0\""] {
            let answer = try shop.request(
                "POST", "/api/v1/users/25/charge", ["If-Match": tag, "Idempotency-Key": "if"],
                body: Array(charge(1_000).utf8))
            try expectProblem(answer, 412, "PRECONDITION_FAILED")
        }
        #expect(try shop.points(25) == 100_000)
        let other = try shop.request(
            "POST", "/api/v1/users/25/charge",
            [
                "If-None-Match": "*", "If-Unmodified-Since": Self.past, "Idempotency-Key": "if",
                "If-Modified-Since": Self.future,
            ], body: Array(charge(1_000).utf8))
        #expect(other.status == 200)
    }
}
