import Glibc
import Testing

/// Requests whose worker has gone on to others before they are answered.
@Suite struct LaterAnswers {
    @Test func `an answer that comes later is sent, and the connection serves on`() throws {
        let peer = try EchoProcess().connect()
        for number in 0...20 {
            #expect(try peer.text("/later?\(number)") == "later /later?\(number)")
            #expect(try peer.text("/next") == "GET /next\n\n")
        }
    }

    @Test func `a later answer to a HEAD request has no body, and the next one has`() throws {
        let peer = try EchoProcess().connect()
        let answer = try peer.answer(to: Message("HEAD", "/later?20"))
        #expect(answer.fields["content-length"] == "\("later /later?20".utf8.count)")
        #expect(answer.body.isEmpty)
        #expect(try peer.text("/later?20") == "later /later?20")
    }

    @Test func `any number of requests wait for their answer beside a single worker`() throws {
        let echo = try EchoProcess(["workers": 1])
        let patient = try (1...100).map { _ in try echo.connect() }
        for peer in patient { try peer.send(Message("GET", "/later?60000")) }
        let peers = try (0..<100).map { _ in try echo.connect() }
        for (number, peer) in peers.enumerated() {
            try peer.send(Message("GET", "/later?\(100 + number)"))
        }
        #expect(try echo.isServing())
        for (number, peer) in peers.enumerated() {
            #expect(try peer.answer().text == "later /later?\(100 + number)")
        }
        withExtendedLifetime(patient) {}
    }

    @Test func `many peers get their own later answers, on connections that are kept`() throws {
        let echo = try EchoProcess(["workers": 4])
        let path = echo.path
        let failures = onThreads(32) { thread in
            let peer = try Peer(to: path)
            for number in 1...50 {
                let target = "/later?\((thread + number) % 3)"
                let text = try peer.text(number % 2 == 0 ? target : "/\(thread)")
                let expected = number % 2 == 0 ? "later \(target)" : "GET /\(thread)\n\n"
                guard text == expected else { throw Peer.Failure.unanswered }
            }
        }
        #expect(failures.isEmpty)
        #expect(try echo.isServing())
    }

    @Test func `peers that close before a later answer leave nothing behind`() throws {
        let echo = try EchoProcess(["workers": 2])
        // The first timer opens descriptors of its own.
        #expect(try echo.connect().text("/later?1") == "later /later?1")
        let idle = try echo.descriptorsAtRest()
        for _ in 1...20 {
            let peer = try echo.connect()
            try peer.send(Message("GET", "/later?100"))
            peer.close()
        }
        #expect(eventually { echo.descriptors <= idle })
        #expect(try echo.isServing())
    }

    @Test func `a stop waits for later answers`() throws {
        let echo = try EchoProcess()
        let peers = try (1...20).map { _ in try echo.connect() }
        for peer in peers { try peer.send(Message("GET", "/later?400")) }
        usleep(50_000)
        echo.send(SIGTERM)
        for peer in peers {
            #expect(try peer.answer().text == "later /later?400")
            peer.close()
        }
        #expect(echo.exitCode() == 0)
    }

    @Test func `an answer that never comes cannot keep the process`() throws {
        let echo = try EchoProcess(["drain-seconds": 1, "peer-seconds": 1])
        let peer = try echo.connect()
        try peer.send(Message("GET", "/later?60000"))
        usleep(50_000)
        echo.send(SIGTERM)
        #expect(echo.exitCode() == 0)
    }
}
