import Glibc
import HTTPReceiver
import Testing

@testable import HTTPClient

@Suite struct Failures {
    private let client = HTTPClient(.unguarded())

    @Test func `a receiver that hangs costs its time-out, and holds up no other`() throws {
        let receiver = try Receiver { $0.path == "/hang" ? .hang : .answer(200) }
        let client = HTTPClient(.unguarded(totalMilliseconds: 500))
        let clock = ContinuousClock()
        let start = clock.now
        let results = client.send(
            ["/hang", "/1", "/hang", "/2"].map { .init(post: [], to: receiver.url + $0) })
        let took = clock.now - start
        #expect(took >= .milliseconds(500) && took < .seconds(15))
        #expect(results[0] == .failure(.noAnswerInTime(milliseconds: 500)))
        #expect(results[2] == .failure(.noAnswerInTime(milliseconds: 500)))
        #expect(try results[1].get().status == 200)
        #expect(try results[3].get().status == 200)
    }

    @Test func `a port that takes no connection is given up`() throws {
        let port = try FullPort()
        var options = HTTPClient.Options.unguarded()
        options.connectMilliseconds = 300
        let start = ContinuousClock.now
        let result = HTTPClient(options).send(.init(post: [], to: port.url))
        #expect(result == .failure(.noConnectionInTime(milliseconds: 300)))
        #expect(ContinuousClock.now - start < .seconds(15))
    }

    @Test func `a port where nobody listens is unreachable`() throws {
        let url = try Receiver().url  // Let go of at once.
        let result = client.send(.init(post: [], to: url))
        #expect(result == .failure(.unreachable("Connection refused")))
    }

    @Test func `a connection that is reset is no answer`() throws {
        let receiver = try Receiver { _ in .reset }
        guard case .failure(.broken(let cause)) = client.send(.init(post: [1], to: receiver.url))
        else {
            Issue.record("a reset was taken for an answer")
            return
        }
        #expect(cause.contains("reset"))
    }

    @Test(arguments: ["", "nonsense\r\n\r\n", "HTTP/1.1 two hundred\r\n\r\n", "\r\n"])
    func `nonsense is no answer`(text: String) throws {
        let receiver = try Receiver { _ in .bytes(text) }
        let result = client.send(.init(post: [], to: receiver.url))
        guard case .failure(.broken) = result else {
            Issue.record("\(result)")
            return
        }
    }

    @Test func `an endless body is cut off`() throws {
        let receiver = try Receiver { _ in .endlessBody }
        let start = ContinuousClock.now
        #expect(try client.send(.init(post: [], to: receiver.url)).get().status == 200)
        #expect(ContinuousClock.now - start < .seconds(15))
    }

    @Test func `a body just within the limit costs no connection`() throws {
        let receiver = try Receiver { _ in
            .answer(200, body: String(repeating: "x", count: 64 * 1_024))
        }
        for _ in 1...3 {
            #expect(try client.send(.init(post: [], to: receiver.url)).get().status == 200)
        }
        #expect(receiver.connectionsMade == 1)
    }

    @Test func `an endless header is no answer`() throws {
        let receiver = try Receiver { _ in
            .bytes("HTTP/1.1 200 OK\r\n" + String(repeating: "X-More: x\r\n", count: 10_000))
        }
        guard case .failure(.broken(let cause)) = client.send(.init(post: [], to: receiver.url))
        else {
            Issue.record("it was taken")
            return
        }
        #expect(cause.contains("head"))
    }

    @Test(arguments: [
        "", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com", "http://",
        "http://user:password@127.0.0.1/", "https://token@127.0.0.1/",
    ])
    func `only URLs of http and https without a user are sent to`(url: String) {
        #expect(client.send(.init(post: [], to: url)) == .failure(.invalidURL))
    }

    @Test func `a name without an address is said so`() {
        let result = client.send(.init(post: [], to: "http://nobody.invalid/"))
        #expect(result == .failure(.nameNotFound))
    }

    @Test func `what went wrong is said without the URL's path`() throws {
        let receiver = try Receiver { _ in .reset }
        let url = receiver.url + "/secret?token=secret"
        for url in [url, "http://nobody.invalid/secret", "http://127.0.0.1:1/secret"] {
            guard case .failure(let failure) = client.send(.init(post: [], to: url)) else {
                Issue.record("\(url) answered")
                continue
            }
            #expect(!"\(failure)".contains("secret"))
        }
    }
}
