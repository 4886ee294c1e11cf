import FastCGI
import Glibc
import Testing

@Suite struct ListeningSockets {
    @Test func `a bound socket has mode 0660`() throws {
        let path = socketPath()
        defer { unlink(path) }
        _ = try ListeningSocket.bound(to: path)
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o660)
        #expect(status.st_mode & S_IFMT == S_IFSOCK)
    }

    @Test func `binding leaves nothing beside the path`() throws {
        let folder = socketPath()
        #expect(mkdir(folder, 0o700) == 0)
        let path = "\(folder)/s"
        defer {
            unlink(path)
            rmdir(folder)
        }
        _ = try ListeningSocket.bound(to: path)
        _ = try ListeningSocket.bound(to: path)
        #expect(entries(of: folder) == ["s"])
    }

    @Test func `a path that is too long is refused in a sentence`() throws {
        let path = "/tmp/" + String(repeating: "x", count: 110)
        let error = #expect(throws: SocketError.self) { try ListeningSocket.bound(to: path) }
        let text = try #require(error).description
        #expect(text.hasPrefix("a socket's path has at most 107 bytes: \(path)"))
        #expect(!text.contains("Success"))
    }

    @Test func `a folder that is not there is named with the cause`() throws {
        let path = "\(socketPath())/s"
        let error = #expect(throws: SocketError.self) { try ListeningSocket.bound(to: path) }
        let text = try #require(error).description
        #expect(text.contains(path))
        #expect(text.contains("No such file or directory"))
    }

    @Test func `a folder at the path is not replaced, and nothing is left beside it`() throws {
        let folder = socketPath()
        #expect(mkdir(folder, 0o700) == 0)
        #expect(mkdir("\(folder)/s", 0o700) == 0)
        defer {
            rmdir("\(folder)/s")
            rmdir(folder)
        }
        #expect(throws: SocketError.self) { try ListeningSocket.bound(to: "\(folder)/s") }
        #expect(entries(of: folder) == ["s"])
    }

    @Test func `a socket passed on descriptor 0 is served, and its path outlives the process`()
        throws
    {
        let path = socketPath()
        let listener = try listen(at: path)
        defer {
            close(listener)
            unlink(path)
        }
        let first = try EchoProcess(at: path, passing: listener)
        #expect(try first.isServing())
        first.send(SIGTERM)
        #expect(first.exitCode() == 0)
        #expect(access(path, F_OK) == 0)
        // Whoever connects meanwhile waits for the next process.
        let early = try Peer(to: path)
        try early.send(Message("GET", "/process"))
        let second = try EchoProcess(at: path, passing: listener)
        #expect(try early.answer().text == "\(second.id)")
    }

    @Test func `without a path and a passed socket the responder does not start`() throws {
        let plain = open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer { close(plain) }
        #expect(try EchoProcess.exitCode(passing: plain) == 2)
    }

    private func listen(at path: String) throws -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let listener = socket(AF_UNIX, kind, 0)
        try #require(withSocketAddress(path) { bind(listener, $0, $1) } == 0)
        try #require(Glibc.listen(listener, 16) == 0)
        return listener
    }
}
