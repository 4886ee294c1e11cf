import Commerce
import FoundationEssentials
import Glibc
import HTTPClient
import HTTPReceiver
import Testing

@testable import Events
@testable import Store

/// What a receiver of webhooks gets, and what its answers mean.
@Suite struct WebhookTargetTests {
    private let secret = WebhookSecret.random()
    private let scratch: ScratchFolder

    init() throws { scratch = try ScratchFolder() }

    @Test func `the signature is that of the standard's own example`() throws {
        let body = Array(#"{"test": 2432232314}"#.utf8)
        let example = WebhookSecret(
            Array(try #require(Data(base64Encoded: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))))
        #expect(example.text == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        func header(_ secrets: [WebhookSecret]) -> String {
            WebhookSignature.header(
                id: "msg_p5jXN8AQM9LWM0D4loKWxJek", seconds: 1_614_265_330, body: body,
                secrets: secrets)
        }
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        #expect(header([example]) == signature)
        #expect(header([secret, example]) == header([secret]) + " " + signature)
    }

    @Test func `secrets are random and as long as the standard wants`() {
        let secrets = (1...100).map { _ in WebhookSecret.random() }
        #expect(Set(secrets.map(\.text)).count == 100)
        #expect(secrets.allSatisfy { (24...64).contains($0.bytes.count) })
    }

    @Test func `an event arrives signed, under its own id at every attempt`() throws {
        let receiver = try Receiver()
        let event = anEvent()
        let previous = WebhookSecret.random()
        let target = target(receiver.url + "/hooks", [secret, previous])
        let before = time(nil)
        #expect(target.deliver([event]) == [.delivered])
        // Until the clock shows another second.
        _ = eventually {
            _ = target.deliver([event])
            return timestamp(receiver.arrivals.last) == timestamp(receiver.arrivals.first)
                ? nil : true
        }
        let arrivals = receiver.arrivals
        #expect(Set(arrivals.map { timestamp($0) }).count == 2)
        #expect(Set(arrivals.map { $0.headers["webhook-signature"] }).count == 2)
        for arrival in [arrivals.first, arrivals.last].compactMap(\.self) {
            #expect(arrival.method == "POST" && arrival.path == "/hooks")
            #expect(arrival.headers["content-type"] == "application/json")
            #expect(arrival.headers["user-agent"]?.hasPrefix("commerce/") == true)
            #expect(arrival.headers["webhook-id"] == event.id.lowercased)
            #expect(arrival.body == event.envelope)
            let seconds = try #require(timestamp(arrival))
            #expect((before...time(nil)).contains(seconds))
            #expect(try verifies(arrival, with: secret) && verifies(arrival, with: previous))
            #expect(try !verifies(arrival, with: WebhookSecret.random()))
        }
    }

    @Test func `events of one call arrive each with its own signature`() throws {
        let receiver = try Receiver { arrival in
            .answer(arrival.body.contains(UInt8(ascii: "7")) ? 200 : 500)
        }
        let events = (1...9).map { anEvent(payload: #"{"n":\#($0 == 7 ? "seven" : "other")}"#) }
        let results = target(receiver.url).deliver(events)
        #expect(results.count == 9)
        for arrival in receiver.arrivals {
            #expect(try verifies(arrival, with: secret))
        }
        #expect(Set(receiver.arrivals.map { $0.headers["webhook-id"] }).count == 9)
    }

    @Test(arguments: [200, 201, 202, 204, 299])
    func `any 2xx takes an event over`(status: Int) throws {
        let receiver = try Receiver { _ in .answer(status) }
        #expect(target(receiver.url).deliver([anEvent()]) == [.delivered])
    }

    @Test(arguments: [301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 408, 409, 429, 500, 503])
    func `any other status is a failure that says which`(status: Int) throws {
        let other = try Receiver()
        let receiver = try Receiver { _ in .answer(status, headers: ["Location": other.url]) }
        let result = target(receiver.url).deliver([anEvent()])[0]
        guard case .failed(let cause, nil) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(cause.contains("\(status)"))
        #expect(other.connectionsMade == 0)
    }

    @Test func `410 means that the receiver is gone`() throws {
        let receiver = try Receiver { _ in .answer(410) }
        guard case .gone(let cause) = target(receiver.url).deliver([anEvent()])[0] else {
            Issue.record("not taken for gone")
            return
        }
        #expect(cause.contains("410"))
    }

    @Test func `a receiver has answered, whatever becomes of the answer's body`() throws {
        func result(_ status: Int, _ end: Receiver.End) throws -> DeliveryResult {
            let receiver = try Receiver { _ in
                .bytes("HTTP/1.1 \(status) So\r\nContent-Length: 100\r\n\r\nten bytes.", then: end)
            }
            return target(receiver.url, totalMilliseconds: 500).deliver([anEvent()])[0]
        }
        for end in [Receiver.End.close, .reset, .hang] {
            #expect(try result(200, end) == .delivered)
            #expect(try result(410, end) == .gone(cause: "answered 410 Gone"))
            #expect(
                try result(500, end) == .failed(cause: "answered 500", retryAfterSeconds: nil))
        }
    }

    @Test(arguments: [429, 503])
    func `the receiver says when to come again`(status: Int) throws {
        // One second is lost to the clock between the two, and more to a slow machine.
        let future = httpDate(secondsFromNow: 3_600)
        for (text, expected): (String, ClosedRange<Int>?) in [
            ("120", 120...120), ("1", 1...1), ("21600", 21_600...21_600),
            (future, 3_500...3_600), ("0", nil), ("-5", nil), ("soon", nil), ("", nil),
            (httpDate(secondsFromNow: -3_600), nil),
        ] {
            let receiver = try Receiver { _ in .answer(status, headers: ["Retry-After": text]) }
            let result = target(receiver.url).deliver([anEvent()])[0]
            guard case .failed(_, let seconds) = result else {
                Issue.record("\(result)")
                continue
            }
            #expect(seconds.map { expected?.contains($0) == true } ?? (expected == nil), "\(text)")
        }
    }

    @Test func `each event has the result of its own answer`() throws {
        let statuses = Shared([200, 500, 410, 200, 404])
        let receiver = try Receiver { _ in .answer(statuses.withLock { $0.removeFirst() }) }
        var options = HTTPClient.Options()
        options.addresses = .any
        options.concurrentMax = 1
        let target = WebhookTarget(endpoint(receiver.url), client: HTTPClient(options))
        let results = target.deliver((1...5).map { _ in anEvent() })
        #expect(
            results == [
                .delivered, .failed(cause: "answered 500", retryAfterSeconds: nil),
                .gone(cause: "answered 410 Gone"), .delivered,
                .failed(cause: "answered 404", retryAfterSeconds: nil),
            ])
    }

    @Test func `a receiver that hangs or resets has not taken the event`() throws {
        for reaction in [Receiver.Reaction.hang, .reset, .bytes("")] {
            let receiver = try Receiver { _ in reaction }
            let target = target(receiver.url, totalMilliseconds: 300)
            guard case .failed(_, nil) = target.deliver([anEvent()])[0] else {
                Issue.record("\(reaction)")
                continue
            }
        }
        #expect(HTTPClient.Options().totalMilliseconds == 15_000)
    }

    @Test func `no webhook goes to a private address unless that is allowed`() throws {
        let receiver = try Receiver()
        let target = WebhookTarget(endpoint(receiver.url), client: HTTPClient())
        #expect(
            target.deliver([anEvent()]) == [
                .failed(
                    cause: "the address 127.0.0.1 is not a public one", retryAfterSeconds: nil)
            ])
        #expect(receiver.connectionsMade == 0)
    }

    // MARK: - Helpers

    private func endpoint(_ url: String, _ secrets: [WebhookSecret]? = nil) -> WebhookEndpoint {
        WebhookEndpoint(id: 1, url: url, secrets: secrets ?? [secret])
    }

    private func target(
        _ url: String, _ secrets: [WebhookSecret]? = nil, totalMilliseconds: Int = 15_000
    ) -> WebhookTarget {
        var options = HTTPClient.Options()
        options.addresses = .any
        options.totalMilliseconds = totalMilliseconds
        return WebhookTarget(endpoint(url, secrets), client: HTTPClient(options))
    }

    private func anEvent(payload: String = #"{"orderId":"1","totalPrice":2000}"#) -> Event {
        Event(
            id: UUID(), aggregate: .order, aggregateID: 1, type: .orderPaid,
            payload: Array(payload.utf8), createdAt: Moment("2026-01-31 23:59:59.123456"))
    }

    private func timestamp(_ arrival: Arrival?) -> Int? {
        arrival?.headers["webhook-timestamp"].flatMap { Int($0) }
    }

    private func verifies(_ arrival: Arrival, with secret: WebhookSecret) throws -> Bool {
        try WebhookVerification.succeeds(arrival, with: secret.text, in: scratch.path)
    }

    private func httpDate(secondsFromNow seconds: Int) -> String {
        var then = time(nil) + seconds
        var parts = tm()
        gmtime_r(&then, &parts)
        var text = [CChar](repeating: 0, count: 64)
        strftime(&text, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
        return text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }
}

/// The way to verify a signature that the README tells receivers, on OpenSSL.
enum WebhookVerification {
    private static let script: String? = {
        let readme = contents(of: TestRun.repository + "/README.md")
        let blocks = readme.split(separator: "\n```bash\n").dropFirst()
        let block = blocks.first { $0.contains("whsec_") }
        return block?.split(separator: "\n```").first.map(String.init)
    }()

    /// Whether the script takes a request for one signed with the secret.
    static func succeeds(
        _ arrival: Arrival, with secret: String, in folder: String
    ) throws -> Bool {
        guard let script else { throw Failure("README.md does not say how to verify") }
        let body = folder + "/" + TestRun.freshName("body")
        try Data(arrival.body).write(to: URL(filePath: body))
        let finished = try Finished(
            ["bash", "-euc", script],
            settings: [
                "secret": secret, "id": arrival.headers["webhook-id"] ?? "",
                "timestamp": arrival.headers["webhook-timestamp"] ?? "",
                "signatures": arrival.headers["webhook-signature"] ?? "", "body": body,
            ], in: folder)
        guard finished.errors.isEmpty else { throw Failure(finished.errors) }
        return finished.status == 0
    }
}
