import Glibc
import Testing

/// More peers than workers, connections or descriptors.
@Suite struct Pressure {
    @Test func `more idle kept connections than workers starve nobody`() throws {
        let echo = try EchoProcess(["workers": 4])
        let peers = try (1...64).map { _ in try echo.connect() }
        for round in 1...3 {
            for (number, peer) in peers.enumerated() {
                #expect(try peer.text("/\(round)/\(number)") == "GET /\(round)/\(number)\n\n")
            }
        }
    }

    @Test func `peers that connect and say nothing own no worker`() throws {
        let echo = try EchoProcess(["workers": 2, "peer-seconds": 60])
        let silent = try (1...50).map { _ in try echo.connect() }
        #expect(try echo.isServing())
        #expect(
            try silent.map { try $0.text("/process") } == Array(repeating: "\(echo.id)", count: 50))
    }

    @Test func `requests beyond the workers wait and are all answered`() throws {
        let echo = try EchoProcess(["workers": 3])
        let path = echo.path
        let failures = onThreads(30) { _ in
            guard try Peer(to: path).text("/sleep?20") == "slept" else { throw Peer.Failure.closed }
        }
        #expect(failures.isEmpty)
    }

    @Test(arguments: ["/sleep", "/hang"])
    func `workers that wait in their handler leave the others to the rest`(target: String) throws {
        let echo = try EchoProcess(["workers": 16])
        let sleepers = try (1...15).map { _ in try echo.connect() }
        for sleeper in sleepers { try sleeper.send(Message("GET", "\(target)?60000")) }
        usleep(100_000)
        #expect(try echo.isServing())
    }

    @Test func `peers that stop amid a request leave the other workers to the rest`() throws {
        let echo = try EchoProcess(["workers": 16, "peer-seconds": 60])
        let slow = try (1...15).map { _ in try echo.connect() }
        let half = Message("POST", "/", body: [1, 2, 3]).bytes.prefix(50)
        for peer in slow { try peer.send(Array(half)) }
        usleep(100_000)
        #expect(try echo.isServing())
    }

    @Test func `peers that do not take their answer leave the other workers to the rest`() throws {
        let echo = try EchoProcess(["workers": 16, "peer-seconds": 60])
        let slow = try (1...15).map { _ in try echo.connect() }
        for peer in slow { try peer.send(Message("GET", "/large?10000000")) }
        usleep(100_000)
        #expect(try echo.isServing())
    }

    @Test(arguments: [12, 24, 100])
    func `a peer that stops amid a request owns a worker no longer than its time`(sent: Int) throws
    {
        let echo = try EchoProcess(["workers": 1, "peer-seconds": 1])
        let slow = try echo.connect()
        try slow.send(Array(Message("POST", "/", body: [1, 2, 3]).bytes.prefix(sent)))
        usleep(50_000)
        #expect(try echo.isServing())
        #expect(slow.isClosed())
    }

    @Test func `a peer that does not take its answer owns a worker no longer than its time`() throws
    {
        let echo = try EchoProcess(["workers": 1, "peer-seconds": 1])
        let slow = try echo.connect()
        try slow.send(Message("GET", "/large?10000000"))
        usleep(50_000)
        #expect(try echo.isServing())
    }

    @Test func `connections beyond the limit wait, and are served when others close`() throws {
        let echo = try EchoProcess(["connections-max": 4])
        let idle = try echo.descriptorsAtRest()
        let peers = try (1...10).map { _ in try echo.connect() }
        for peer in peers { try peer.send(Message("GET", "/process")) }
        for peer in peers[0..<4] { #expect(try peer.answer().text == "\(echo.id)") }
        #expect(echo.descriptors == idle + 4)
        peers[4].wait(milliseconds: 300)
        #expect(peers[4].failure() == .timedOut)
        peers[4].wait(seconds: 15)
        for peer in peers[0..<4] { peer.close() }
        for peer in peers[4..<8] { #expect(try peer.answer().text == "\(echo.id)") }
        for peer in peers[4..<8] { peer.close() }
        for peer in peers[8...] { #expect(try peer.answer().text == "\(echo.id)") }
    }

    @Test(
        .enabled(
            if: getenv("TSAN_OPTIONS") == nil,
            "ThreadSanitizer needs descriptors to name what Tests/Sanitizers/thread.supp leaves out"
        ))
    func `without descriptors it serves the connections it has, and later the others`() throws {
        let echo = try EchoProcess(["descriptors": 24])
        let idle = try echo.descriptorsAtRest()
        let peers = try (1...60).map { _ in try echo.connect() }
        for peer in peers { try peer.send(Message("GET", "/process")) }
        #expect(try peers[0].answer().text == "\(echo.id)")
        usleep(300_000)
        #expect(!echo.hasEnded)
        #expect(echo.descriptors < idle + 24)
        peers[59].wait(milliseconds: 100)
        #expect(peers[59].failure() == .timedOut)
        peers[59].wait(seconds: 15)
        #expect(try peers[0].text("/process") == "\(echo.id)")
        peers[0].close()
        for peer in peers.dropFirst() {
            #expect(try peer.answer().text == "\(echo.id)")
            peer.close()
        }
        #expect(try echo.isServing())
    }

    @Test func `64 peers with 200 requests each get their own answers`() throws {
        let echo = try EchoProcess(["workers": 32])
        let path = echo.path
        let failures = onThreads(64) { thread in
            let peer = try Peer(to: path, seconds: 30)
            for number in 1...200 {
                let body = Array("\(thread) asks for \(number)".utf8)
                let answer = try peer.answer(to: Message("POST", "/\(thread)", body: body))
                guard answer.body == Array("POST /\(thread)\n\n".utf8) + body else {
                    throw Peer.Failure.unanswered
                }
            }
        }
        #expect(failures.isEmpty)
        #expect(try echo.calls() >= 12_800)
    }

    @Test func `connections that come and go leave nothing behind`() throws {
        let echo = try EchoProcess()
        let idle = try echo.descriptorsAtRest()
        let path = echo.path
        let failures = onThreads(16) { _ in
            for _ in 1...100 {
                guard try Peer(to: path).text("/x") == "GET /x\n\n" else {
                    throw Peer.Failure.unanswered
                }
            }
        }
        #expect(failures.isEmpty)
        #expect(eventually { echo.descriptors <= idle })
    }
}
