import HTTPReceiver
import Testing

@testable import HTTPClient

/// A server has answered once the head of its answer has ended, whatever becomes of the body.
@Suite struct Answers {
    private let client = HTTPClient(.unguarded(totalMilliseconds: 1_000))

    /// Bodies that do not end as their head says.
    private static let brokenBodies: [(head: String, body: String)] = [
        ("Content-Length: 100", "ten bytes."), ("Content-Length: 100", ""),
        ("Transfer-Encoding: chunked", ""), ("Transfer-Encoding: chunked", "5\r\nab"),
        ("Transfer-Encoding: chunked", "5\r\nabcde\r\n"),
        ("Transfer-Encoding: chunked", "no length\r\n\r\n"),
        ("Transfer-Encoding: chunked", "0\r\nHTTP/1.1 500 No\r\n\r\n"),
        ("Content-Encoding: br", "what is no Brotli"),
    ]

    @Test(arguments: [200, 202, 204, 301, 400, 410, 429, 500, 503])
    func `a body that breaks off changes nothing about the status`(status: Int) throws {
        for (head, body) in Self.brokenBodies {
            for end in [Receiver.End.close, .reset] {
                let receiver = try Receiver { _ in
                    .bytes("HTTP/1.1 \(status) So\r\n\(head)\r\n\r\n\(body)", then: end)
                }
                let result = client.send(.init(post: [1], to: receiver.url))
                guard case .success(let response) = result else {
                    Issue.record("\(head), \(body), \(end): \(result)")
                    continue
                }
                #expect(response.status == status)
                #expect(receiver.arrivals.count == 1)
            }
        }
    }

    @Test func `a body that does not come in time changes nothing about the status`() throws {
        let receiver = try Receiver { _ in
            .bytes("HTTP/1.1 202 So\r\nContent-Length: 100\r\n\r\nten bytes.", then: .hang)
        }
        #expect(try client.send(.init(post: [], to: receiver.url)).get().status == 202)
        let asking = try Receiver { _ in
            .bytes("HTTP/1.1 503 So\r\nRetry-After: 7\r\nContent-Length: 1\r\n\r\n", then: .hang)
        }
        let response = try client.send(.init(post: [], to: asking.url)).get()
        #expect(response.status == 503 && response.retryAfterSeconds == 7)
    }

    @Test func `an interim answer is not yet an answer`() throws {
        for interim in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Hints\r\nA: b\r\n\r\n"] {
            let final = "HTTP/1.1 410 Gone\r\nContent-Length: 9\r\n\r\nno"
            let receiver = try Receiver { _ in .bytes(interim + interim + final) }
            #expect(try client.send(.init(post: [], to: receiver.url)).get().status == 410)
            for end in [Receiver.End.close, .hang, .reset] {
                let receiver = try Receiver { _ in .bytes(interim, then: end) }
                let result = client.send(.init(post: [], to: receiver.url))
                guard case .failure = result else {
                    Issue.record("\(interim), \(end): \(result)")
                    continue
                }
            }
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n", "HTTP/1.1 200 OK\r\nX: y",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nHTTP/1.1 200",
    ])
    func `a head that does not end is no answer`(head: String) throws {
        for end in [Receiver.End.close, .hang, .reset] {
            let receiver = try Receiver { _ in .bytes(head, then: end) }
            let result = client.send(.init(post: [], to: receiver.url))
            guard case .failure(let failure) = result else {
                Issue.record("\(end): \(result)")
                continue
            }
            #expect(!"\(failure)".contains("No error"))
        }
    }
}
