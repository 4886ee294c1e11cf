import Glibc
import Testing

@Suite struct Stopping {
    @Test(arguments: [SIGTERM, SIGINT])
    func `an idle responder ends with status 0 and takes its socket away`(signal: Int32) throws {
        let echo = try EchoProcess()
        echo.send(signal)
        #expect(echo.exitCode() == 0)
        #expect(access(echo.path, F_OK) != 0)
    }

    @Test func `what has arrived before the signal is answered`() throws {
        let echo = try EchoProcess(["workers": 4])
        // More than there are workers: some have not even been read.
        let peers = try (1...12).map { _ in try echo.connect() }
        for peer in peers { try peer.send(Message("GET", "/sleep?200")) }
        echo.send(SIGTERM)
        for peer in peers {
            #expect(try peer.answer().text == "slept")
            peer.close()
        }
        #expect(echo.exitCode() == 0)
    }

    @Test func `kept connections are served until their peer closes them`() throws {
        let echo = try EchoProcess()
        let kept = try echo.connect()
        #expect(try kept.text("/process") == "\(echo.id)")
        echo.send(SIGTERM)
        #expect(eventually { access(echo.path, F_OK) != 0 })
        for _ in 1...5 {
            #expect(try kept.text("/process") == "\(echo.id)")
            usleep(50_000)
        }
        #expect(!echo.hasEnded)
        kept.close()
        #expect(echo.exitCode() == 0)
    }

    @Test func `nobody can connect once the socket is taken away`() throws {
        let echo = try EchoProcess()
        let kept = try echo.connect()
        echo.send(SIGTERM)
        #expect(eventually { access(echo.path, F_OK) != 0 })
        #expect(throws: Peer.Failure.system(ENOENT)) { try echo.connect() }
        kept.close()
        #expect(echo.exitCode() == 0)
    }

    @Test func `a connection that waited for room is answered before the end`() throws {
        let echo = try EchoProcess(["connections-max": 1])
        let (first, waiting) = (try echo.connect(), try echo.connect())
        #expect(try first.text("/process") == "\(echo.id)")
        try waiting.send(Message("GET", "/process"))
        usleep(100_000)
        echo.send(SIGTERM)
        #expect(eventually { access(echo.path, F_OK) != 0 })
        first.close()
        #expect(try waiting.answer().text == "\(echo.id)")
        waiting.close()
        #expect(echo.exitCode() == 0)
    }

    @Test func `a peer that keeps its connection open cannot keep the process`() throws {
        let echo = try EchoProcess(["drain-seconds": 1, "peer-seconds": 1])
        let kept = try echo.connect()
        #expect(try kept.text("/process") == "\(echo.id)")
        echo.send(SIGTERM)
        #expect(echo.exitCode() == 0)
        #expect(kept.isClosed())
    }

    @Test func `a handler that hangs cannot keep the process`() throws {
        let echo = try EchoProcess(["drain-seconds": 1, "peer-seconds": 1])
        let hanging = try echo.connect()
        try hanging.send(Message("GET", "/sleep?60000"))
        usleep(50_000)
        echo.send(SIGTERM)
        #expect(echo.exitCode() == 0)
    }

    @Test func `a second signal ends the process at once`() throws {
        let echo = try EchoProcess()
        let hanging = try echo.connect()
        try hanging.send(Message("GET", "/sleep?60000"))
        usleep(50_000)
        echo.send(SIGTERM)
        #expect(eventually { access(echo.path, F_OK) != 0 })
        #expect(!echo.hasEnded)
        echo.send(SIGTERM)
        #expect(echo.exitCode() == 1)
    }

    @Test func `a signal under load fails no request`() throws {
        let echo = try EchoProcess()
        let path = echo.path
        let (process, afterSignal) = (echo.id, 30)
        let failures = onThreads(8) { thread in
            let peer = try Peer(to: path)
            for number in 1...100 {
                if thread == 0 && number == afterSignal { kill(process, SIGTERM) }
                guard try peer.text("/x") == "GET /x\n\n" else { throw Peer.Failure.unanswered }
            }
        }
        #expect(failures.isEmpty)
        #expect(echo.exitCode() == 0)
    }
}

@Suite struct Successors {
    @Test func `a successor at the same path takes over without a failed request`() throws {
        let path = socketPath()
        let first = try EchoProcess(at: path)
        let deadline = ContinuousClock.now + .seconds(1)
        let clients = Clients(count: 4) { _ in
            while ContinuousClock.now < deadline {
                guard Int(try Peer(to: path).text("/process")) != nil else {
                    throw Peer.Failure.unanswered
                }
            }
        }
        usleep(200_000)
        let second = try EchoProcess(at: path)
        first.send(SIGTERM)
        #expect(first.exitCode() == 0)
        #expect(clients.failures().isEmpty)
        #expect(try second.isServing())
    }

    @Test func `the predecessor's end leaves the successor's path alone`() throws {
        let path = socketPath()
        let first = try EchoProcess(at: path)
        let second = try EchoProcess(at: path)
        first.send(SIGTERM)
        #expect(first.exitCode() == 0)
        #expect(access(path, F_OK) == 0)
        #expect(try second.isServing())
        second.send(SIGTERM)
        #expect(second.exitCode() == 0)
        #expect(access(path, F_OK) != 0)
    }

    @Test func `a connection to the predecessor is served while the successor runs`() throws {
        let path = socketPath()
        let first = try EchoProcess(at: path)
        let kept = try first.connect()
        #expect(try kept.text("/process") == "\(first.id)")
        let second = try EchoProcess(at: path)
        first.send(SIGTERM)
        #expect(try kept.text("/process") == "\(first.id)")
        #expect(try second.isServing())
        kept.close()
        #expect(first.exitCode() == 0)
    }

    @Test func `a path left by a process that was killed is taken over`() throws {
        let path = socketPath()
        let first = try EchoProcess(at: path)
        first.send(SIGKILL)
        #expect(eventually { first.hasEnded })
        #expect(access(path, F_OK) == 0)
        #expect(throws: Peer.Failure.system(ECONNREFUSED)) { try Peer(to: path) }
        #expect(try EchoProcess(at: path).isServing())
    }
}
