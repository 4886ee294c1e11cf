import Testing

@Suite struct HTTP {
    private let shop: Shop

    init() throws { shop = try Shop() }

    @Test func `what is nowhere is 404`() throws {
        for path in [
            "/nowhere", "/api/v1", "/api/v1/", "/api/v1/users", "/api/v1/users/25/",
            "/api/v1/users/25/charge/x", "/orders", "/users/25", "/api/v2/orders",
            "/API/v1/orders", "/api/v1/orders/", "/api/v1/orders/1/cancel/", "/api/v1/orders/1/x",
            "/orders/1", "/api/v1/livez", "/products", "/api/v1/users/25/points", "/livez/x",
        ] {
            try expectProblem(try shop.get(path), 404, "NOT_FOUND", nil, "\(path)")
        }
    }

    @Test func `a wrong method is 405 and says which are right`() throws {
        let reading = [
            "/api/v1/users/25", "/products/25", "/products/popular", "/livez", "/api/v1/orders/1",
            "/api/v1/users/25/orders", "/api/v1/users/25/payments", "/api/v1/products",
        ]
        for path in reading {
            for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
                let answer = try shop.request(method, path, body: Array("{}".utf8))
                try expectProblem(
                    answer, 405, "METHOD_NOT_ALLOWED", nil, "\(method) \(path)")
                #expect(answer["Allow"] == "GET, HEAD")
            }
        }
        for path in ["/api/v1/orders", "/api/v1/users/25/charge", "/api/v1/orders/1/cancel"] {
            for method in ["GET", "PUT", "DELETE"] {
                let answer = try shop.request(method, path)
                try expectProblem(
                    answer, 405, "METHOD_NOT_ALLOWED", nil, "\(method) \(path)")
                #expect(answer["Allow"] == "POST")
            }
        }
    }

    /// RFC 3986, 6.2.2.2.
    @Test func `a letter or digit of a path is the same with and without its encoding`() throws {
        for (plain, encoded) in [
            ("/api/v1/users/25", "/api/v1/users/%32%35"),
            ("/api/v1/users/25", "/%61p%69/v1/users/25"),
            ("/products/25", "/products/%32%35"), ("/products/25", "/%70roducts/25"),
            ("/products/popular", "/products/popula%72"), ("/products/x", "/products/%78"),
            ("/products/popular", "/api/v%31/products/p%6fpul%61%72"),
            ("/api/v1/users/25/orders", "/api/v1/users/25/order%73"),
            ("/api/v1/users/25/payments", "/api/v1/user%73/%325/p%61yments"),
            ("/api/v1/products?limit=1", "/api/v1/p%72oducts?limit=1"),
            ("/livez", "/%6Civez"), ("/livez", "/%6civez"), ("/readyz", "/%72eady%7A"),
            ("/status", "/%73tatus"), ("/status.json", "/status%2Ejson"),
        ] {
            let (one, other) = (try shop.get(plain), try shop.get(encoded))
            #expect(one.status < 500 && other.status == one.status, "\(encoded)")
            if !plain.hasPrefix("/products/x") { #expect(one.status == 200, "\(plain)") }
            if plain != "/status.json" { #expect(other.text == one.text, "\(encoded)") }
        }
        let ordered = try shop.post("/api/v1/%6Frders", order(25, [(101, 1)], paying: 2_000))
        let id = try #require(ordered.orderID)
        #expect(try shop.get("/api/v1/%6frders/%3\(id)").status == 200)
        for (path, body) in [
            ("/api/v1/orders/\(id)/c%61ncel", ""), ("/api/v1/users/%325/%63harge", charge(1_000)),
        ] { #expect(try shop.post(path, body, key: "k").status == 200, "\(path)") }
    }

    @Test func `any other encoding in a path stays another path`() throws {
        #expect(try shop.get("/products/popular").status == 200)  // nginx has it now.
        for path in [
            "/api%2Fv1/users/25", "/api/v1%2fusers/25", "/products%2F25", "/products%2Fpopular",
            "/products%2fpopula%72", "//products/popular", "/products//popular", "/livez%2F",
            "/products/./popular", "/products/%2E/popular", "/x/../products/popular",
            "/x/%2e%2E/products/popular", "/api/v1/products%2Fpopular", "/%2Fproducts/popular",
            "/api/v1//products/popular", "/api/v1/x/../products/popular", "/%2561pi/v1/users/25",
            "/x/../metrics", "//readyz", "/%2Fstatus.json", "//livez", "/x/../livez",
        ] { try expectProblem(try shop.get(path), 404, "NOT_FOUND", nil, "\(path)") }
        for (path, status, code) in [
            ("/api/v1/users/%2532%2535", 404, "USER_NOT_FOUND"),
            ("/api/v1/users/%2525", 404, "USER_NOT_FOUND"),
            ("/api/v1/users%2F25", 404, "NOT_FOUND"),
            ("/api/v1/users/25%2Forders", 404, "USER_NOT_FOUND"),
            ("/products/popular%20", 400, "INVALID_PRODUCT_ID"),
            ("/products/%2570opular", 400, "INVALID_PRODUCT_ID"),
            ("/products/25%3F", 400, "INVALID_PRODUCT_ID"),
        ] { try expectProblem(try shop.get(path), status, code, nil, "\(path)") }
    }

    @Test func `every request has a number of its own, which no client chooses`() throws {
        let ids = try (1...20).map { _ in
            try #require(try shop.get("/livez", ["X-Request-Id": "mine"])["X-Request-Id"])
        }
        #expect(Set(ids).count == 20)
        #expect(
            ids.allSatisfy { id in id.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) } })
    }

    @Test func `one connection serves many requests, refused ones too`() throws {
        let client = shop.newClient()
        for _ in 1...20 {
            #expect(try client.get("/products/25").status == 200)
            #expect(try client.get("/products/x").status == 400)
            #expect(try client.get("/api/v1/users/999").status == 404)
            #expect(try client.post("/api/v1/orders", "[").status == 400)
            #expect(try client.post("/api/v1/users/25/charge", charge(1_000)).status == 400)
        }
        #expect(client.connections == 1)
    }

    @Test func `a client of HTTP 1 point 0 keeps its connection`() throws {
        let client = shop.newClient()
        for path in ["/livez", "/products/25", "/products/x", "/products/popular", "/nowhere"] {
            for _ in 1...3 {
                let answer = try client.exchange(
                    Array("GET \(path) HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".utf8))
                #expect(answer["Connection"] == "keep-alive", "\(path)")
                #expect(answer.faults == [])
            }
        }
        #expect(client.connections == 1)
    }

    @Test func `requests may be sent without waiting for the answers`() throws {
        let client = shop.newClient()
        let request = "GET /products/25 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        let first = try client.exchange(
            Array((request + request.replacing("25", with: "101")).utf8))
        let second = try client.exchange([])
        #expect(first.text.hasPrefix(#"[{"id": 25,"#))
        #expect(second.text.hasPrefix(#"[{"id": 101,"#))
    }

    @Test func `a body may come in chunks`() throws {
        let client = shop.newClient()
        let head = """
            POST /api/v1/users/25/charge HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: chunks\r\n\
            Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n
            """
        let chunks = "8\r\n[{\"charg\r\nE\r\neAmount\": 5000\r\n2\r\n}]\r\n0\r\n\r\n"
        let answer = try client.exchange(Array((head + chunks).utf8))
        #expect(answer.text == balance(of25: "105,000"))
    }

    @Test func `what nginx refuses by itself has the same form`() throws {
        let client = shop.newClient()
        let tooLarge = try client.request(
            "POST", "/api/v1/orders", body: [UInt8](repeating: 0x20, count: 70 << 10))
        try expectProblem(tooLarge, 413, "BODY_TOO_LARGE")
        #expect(tooLarge.faults == [])
        let longPath = try client.get("/products/" + String(repeating: "1", count: 9_000))
        try expectProblem(longPath, 414, "URI_TOO_LONG")
        #expect(longPath.faults == [])
        let longHeader = try client.get("/livez", ["X-Long": String(repeating: "1", count: 9_000)])
        try expectProblem(longHeader, 431, "HEADERS_TOO_LARGE")
        #expect(longHeader.faults == [])
        let broken = try client.exchange(Array("GET /livez\u{1} HTTP/1.1\r\n\r\n".utf8))
        try expectProblem(broken, 400, "MALFORMED_REQUEST")
        #expect(broken.faults == [])
        let future = try client.exchange(
            Array("GET /livez HTTP/3.1\r\nHost: localhost\r\n\r\n".utf8))
        try expectProblem(future, 505, "HTTP_VERSION_NOT_SUPPORTED")
        #expect(try shop.get("/livez").status == 200)
    }

    @Test func `a stopped responder is a bad gateway in the same form`() throws {
        shop.commerce.stop()
        let answer = try shop.get("/products/25")
        try expectProblem(answer, 502, "BAD_GATEWAY")
        #expect(answer["Retry-After"] == "1")
    }

    @Test func `livez and readyz say ok`() throws {
        for path in ["/livez", "/readyz"] {
            let answer = try shop.get(path)
            #expect(answer.status == 200)
            #expect(answer.text == #"{"status": "ok"}"#)
            #expect(answer["Cache-Control"] == "no-store")
        }
    }

    @Test func `metrics count what was asked, and of whom`() throws {
        for _ in 1...3 { _ = try shop.get("/products/25") }
        for _ in 1...2 { _ = try shop.get("/products/x") }
        let answer = try shop.get("/metrics")
        #expect(answer.status == 200)
        #expect(answer["Content-Type"]?.hasPrefix("text/plain; version=0.0.4") == true)
        let lines = Set(answer.text.split(separator: "\n").map(String.init))
        let route = #"{route="/products/{productId}",method="GET",status=""#
        let name = "commerce_http_requests_total" + route
        #expect(lines.contains(name + "2xx\"} 3"), "\(answer.text.prefix(2_000))")
        #expect(lines.contains(name + "4xx\"} 2"))
        let series = lines.filter { !$0.hasPrefix("#") }
        #expect(series.allSatisfy { $0.hasPrefix("commerce_") })
    }
}
