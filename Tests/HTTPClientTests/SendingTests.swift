import HTTPReceiver
import HTTPTypes
import Synchronization
import Testing
import Threads

@testable import HTTPClient

@Suite struct Sending {
    private let client = HTTPClient(.unguarded())

    @Test func `a request arrives as it was given, and its answer comes back`() throws {
        let receiver = try Receiver { _ in
            .answer(201, headers: ["X-Part": "one", "Empty": ""], body: "made")
        }
        let request = HTTPClient.Request(
            post: Array("{\"a\": 1}".utf8), to: receiver.url + "/path?query=1",
            headers: [.contentType: "application/json", HTTPField.Name("X-Empty")!: ""])
        let response = try client.send(request).get()
        #expect(response.status == 201)
        let arrival = try #require(receiver.arrivals.first)
        #expect(arrival.method == "POST" && arrival.path == "/path?query=1")
        #expect(arrival.body == Array("{\"a\": 1}".utf8))
        #expect(arrival.headers["content-type"] == "application/json")
        #expect(arrival.headers["x-empty"] == "")
        #expect(arrival.headers["expect"] == nil && arrival.headers["cookie"] == nil)
    }

    @Test func `an empty body and one of a megabyte and more arrive whole`() throws {
        let receiver = try Receiver()
        for count in [0, 3 << 20] {
            let body = [UInt8](repeating: 7, count: count)
            #expect(try client.send(.init(post: body, to: receiver.url)).get().status == 200)
            #expect(receiver.arrivals.last?.body == body)
        }
    }

    @Test(arguments: [301, 302, 303, 307, 308])
    func `a redirect is an answer and leads nowhere`(status: Int) throws {
        let other = try Receiver()
        let receiver = try Receiver { _ in .answer(status, headers: ["Location": other.url]) }
        #expect(try client.send(.init(post: [1], to: receiver.url)).get().status == status)
        #expect(receiver.arrivals.count == 1 && other.connectionsMade == 0)
    }

    @Test func `results stand in the order of their requests`() throws {
        let receiver = try Receiver { .answer(Int($0.path.dropFirst()) ?? 0) }
        let results = client.send((200..<400).map { .init(post: [], to: receiver.url + "/\($0)") })
        #expect(try results.map { try $0.get().status } == Array(200..<400))
        #expect(client.send([]).isEmpty)
    }

    @Test func `the requests of a call are under way together`() throws {
        let present = Monitor(0)
        let receiver = try Receiver { _ in
            present.update { $0 += 1 }
            while present.take(withinMilliseconds: 50, { count, _ in count >= 40 ? true : nil })
                == nil
            {}
            return .answer(200)
        }
        let results = client.send((1...40).map { _ in .init(post: [], to: receiver.url) })
        #expect(try results.allSatisfy { try $0.get().status == 200 })
    }

    @Test func `no more requests are under way than the options allow`() throws {
        var options = HTTPClient.Options.unguarded()
        options.concurrentMax = 4
        let counts = Monitor((now: 0, most: 0))
        let receiver = try Receiver { _ in
            counts.update { counts in
                counts.now += 1
                counts.most = max(counts.most, counts.now)
            }
            _ = counts.take(withinMilliseconds: 50) { counts, _ in counts.most > 4 ? true : nil }
            counts.update { $0.now -= 1 }
            return .answer(200)
        }
        let results = HTTPClient(options).send(
            (1...40).map { _ in .init(post: [], to: receiver.url) })
        #expect(try results.allSatisfy { try $0.get().status == 200 })
        #expect(counts.update { $0.most } == 4)
        #expect(receiver.connectionsMade == 4)
    }

    @Test func `connections are kept from call to call`() throws {
        let receiver = try Receiver()
        for _ in 1...20 { _ = try client.send(.init(post: [1], to: receiver.url)).get() }
        #expect(receiver.arrivals.count == 20 && receiver.connectionsMade == 1)
    }

    @Test func `a kept connection that the server has closed costs nothing`() throws {
        let receiver = try Receiver { _ in
            .bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        for _ in 1...20 {
            #expect(try client.send(.init(post: [1], to: receiver.url)).get().status == 200)
        }
        #expect(receiver.connectionsMade == 20)
    }

    @Test func `threads share a client`() throws {
        let receiver = try Receiver { .answer(Int($0.path.dropFirst()) ?? 0) }
        let wrong = Atomic<Int>(0)
        let threads = (0..<8).map { thread in
            WorkerThread { [client] in
                for turn in 0..<50 {
                    let status = 200 + 50 * (thread % 8) + turn
                    let result = client.send(.init(post: [], to: "\(receiver.url)/\(status)"))
                    guard case .success(let response) = result, response.status == status
                    else {
                        wrong.add(1, ordering: .relaxed)
                        continue
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(receiver.connectionsMade <= 8)
    }
}

extension HTTPClient {
    /// One request.
    func send(_ request: Request) -> Result<Response, Failure> { send([request])[0] }
}

extension HTTPClient.Options {
    /// Loopback included, where receivers of tests are.
    static func unguarded(totalMilliseconds: Int = 15_000) -> Self {
        var options = Self()
        options.addresses = .any
        options.totalMilliseconds = totalMilliseconds
        return options
    }
}
