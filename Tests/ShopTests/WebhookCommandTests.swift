import HTTPReceiver
import Testing

/// `commerce webhooks`, as an operator types it.
@Suite struct WebhookCommandTests {
    private let scratch: ScratchFolder
    private let database: ShopDatabase

    init() throws {
        scratch = try ScratchFolder()
        database = try ShopDatabase(isDemo: false, in: scratch.path)
    }

    private func webhooks(
        _ arguments: String..., settings: [String: String] = [:]
    ) throws -> Finished {
        let usual = [
            "COMMERCE_DATABASE_SOCKET": try TestRun.mariadbSocket.get(),
            "COMMERCE_DATABASE_NAME": database.name, "COMMERCE_DATABASE_USER": database.user,
            "COMMERCE_DATABASE_PASSWORD": database.password,
            "COMMERCE_WEBHOOKS_ALLOW_PRIVATE": "1",
        ]
        return try Finished(
            [TestRun.commerce, "webhooks"] + arguments,
            settings: usual.merging(settings) { $1 }, in: scratch.path)
    }

    /// The secret in what `add` or `rotate` printed.
    private func secret(_ run: Finished) throws -> String {
        #expect(run.status == 0, "\(run.errors)")
        return try #require(run.output.matches(of: /whsec_[A-Za-z0-9+\/=]+/).first?.output)
            .description
    }

    private func verifies(_ arrival: Arrival, with secret: String) throws -> Bool {
        try WebhookVerification.succeeds(arrival, with: secret, in: scratch.path)
    }

    @Test func `an endpoint is added, tested, rotated and switched off`() throws {
        let receiver = try Receiver()
        let added = try webhooks("add", receiver.url + "/hooks")
        let first = try secret(added)
        #expect(added.output == "endpoint 1\nsecret \(first)\n")
        var listed = try webhooks("list").output
        #expect(listed.hasPrefix("1 on \(receiver.url)/hooks since 2"))
        #expect(listed.contains(", 0 pending, 0 dead\n") && !listed.contains("whsec"))

        #expect(try webhooks("test", "1").output == "endpoint 1 has taken it\n")
        var arrival = try #require(receiver.arrivals.last)
        let body = String(decoding: arrival.body, as: UTF8.self)
        #expect(arrival.path == "/hooks" && body.contains(#""type":"webhook.test""#))
        #expect(body.contains(/"timestamp":"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/))
        #expect(try verifies(arrival, with: first))

        let second = try secret(try webhooks("rotate", "1"))
        #expect(second != first)
        #expect(try webhooks("test", "1").status == 0)
        arrival = try #require(receiver.arrivals.last)
        #expect(try verifies(arrival, with: first) && verifies(arrival, with: second))
        listed = try webhooks("list").output
        #expect(listed.contains(", two secrets until 2") && !listed.contains("whsec"))

        let disabled = try webhooks("disable", "1")
        #expect(disabled.output == "endpoint 1 is off, 0 deliveries canceled\n")
        listed = try webhooks("list").output
        #expect(listed.hasPrefix("1 off ") && listed.contains(": by an operator\n"))
        for command in ["test", "rotate"] {
            let run = try webhooks(command, "1")
            #expect(run.status == 66 && run.output.isEmpty)
            #expect(run.errors == "commerce: there is no endpoint 1 that is on\n")
        }
        #expect(receiver.arrivals.count == 2)
    }

    @Test func `a test that fails says why`() throws {
        let receiver = try Receiver { $0.path == "/500" ? .answer(500) : .answer(410) }
        for path in ["/500", "/410"] { _ = try webhooks("add", receiver.url + path) }
        let first = try webhooks("test", "1")
        #expect(first.status == 1 && first.errors.isEmpty)
        #expect(first.output == "endpoint 1 has not taken it: answered 500\n")
        let second = try webhooks("test", "2")
        #expect(second.output == "endpoint 2 has not taken it: answered 410 Gone\n")
        // A test does not switch it off: nobody's event was refused.
        #expect(try webhooks("list").output.contains("2 on "))
    }

    @Test func `a private address is refused unless the setting allows it`() throws {
        let receiver = try Receiver()
        _ = try webhooks("add", "http://localhost:\(receiver.port)/")
        for value in ["", "0"] {
            let run = try webhooks(
                "test", "1", settings: ["COMMERCE_WEBHOOKS_ALLOW_PRIVATE": value])
            #expect(run.status == 1)
            #expect(run.output.contains("is not a public one"))
        }
        let wrong = try webhooks(
            "test", "1", settings: ["COMMERCE_WEBHOOKS_ALLOW_PRIVATE": "yes"])
        #expect(wrong.status == 78 && wrong.errors.contains("COMMERCE_WEBHOOKS_ALLOW_PRIVATE"))
        #expect(receiver.connectionsMade == 0)
    }

    @Test func `a proxy or a password of the environment is not used`() throws {
        let receiver = try Receiver()
        let proxy = try Receiver { _ in .answer(502) }
        _ = try webhooks("add", receiver.url)
        let run = try webhooks(
            "test", "1",
            settings: ["http_proxy": proxy.url, "all_proxy": proxy.url, "HTTP_PROXY": proxy.url])
        #expect(run.status == 0 && proxy.connectionsMade == 0)
        #expect(receiver.arrivals.allSatisfy { $0.headers["authorization"] == nil })
    }

    @Test(arguments: [
        ("example.com", "begins neither"), ("ftp://example.com/", "begins neither"),
        ("//example.com/", "begins neither"), ("http://", "malformed"),
        ("http:/example.com", "malformed"),
        ("https:///path", "malformed"),
        ("https://example.com:99999/", "malformed"), ("https://exa mple.com/", "blank"),
        ("https://한국.example/", "not ASCII"), ("https://user@example.com/", "user"),
        ("https://user:password@example.com/", "user"),
        ("https://example.com/" + String(repeating: "x", count: 2_029), "longer"),
    ])
    func `a URL that cannot be sent to is not added`(url: String, problem: String) throws {
        let run = try webhooks("add", url)
        #expect(run.status == 64 && run.output.isEmpty)
        #expect(run.errors.contains(problem), "\(run.errors)")
        #expect(try webhooks("list").output == "there are no endpoints yet\n")
    }

    @Test func `an unknown endpoint is said so`() throws {
        for command in ["disable", "rotate", "test"] {
            let run = try webhooks(command, "7")
            #expect(run.status == 66)
            #expect(run.errors.hasPrefix("commerce: there is no endpoint 7"), "\(run.errors)")
        }
    }

    @Test func `help names the settings`() throws {
        let run = try webhooks("--help")
        #expect(run.status == 0)
        for name in ["COMMERCE_DATABASE_SOCKET ", "COMMERCE_WEBHOOKS_ALLOW_PRIVATE "] {
            #expect(run.output.contains(name))
        }
    }
}
