import Glibc
import Testing

@testable import HTTPClient

/// Whom the client believes to be who they say: on OpenSSL's own server.
@Suite struct TLS {
    @Test func `a server is trusted whose certificate is of a known authority and its name`() throws
    {
        let server = try TLSServer(name: "localhost")
        let response = try server.client().send(.init(post: [1], to: server.url)).get()
        #expect(response.status == 200)
    }

    @Test func `a certificate of an unknown authority is refused`() throws {
        let server = try TLSServer(name: "localhost")
        let client = HTTPClient(.unguarded())
        expectUntrusted(client.send(.init(post: [1], to: server.url)), because: "certificate")
    }

    @Test func `a certificate of another name is refused`() throws {
        let server = try TLSServer(name: "other.example")
        expectUntrusted(
            server.client().send(.init(post: [1], to: server.url)), because: "subject name")
    }

    private func expectUntrusted(
        _ result: Result<HTTPClient.Response, HTTPClient.Failure>, because words: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        guard case .failure(.untrusted(let cause)) = result else {
            Issue.record("\(result)", sourceLocation: sourceLocation)
            return
        }
        #expect(cause.contains(words), "\(cause)", sourceLocation: sourceLocation)
    }
}

/// `openssl s_server` with a certificate of its own making, which gives one answer to whoever
/// connects.
private final class TLSServer {
    let url: String
    private let folder: String
    private let process: pid_t
    private let socket: Int32

    init(name: String) throws {
        var template = Array("/tmp/commerce-test-XXXXXX".utf8CString)
        folder = String(cString: mkdtemp(&template))
        let (key, certificate) = (folder + "/key.pem", folder + "/certificate.pem")
        let files = ["-key", key, "-cert", certificate]
        let maker = try Spawned(
            "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-keyout", key, "-out", certificate,
            "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:\(name)")
        defer { close(maker.socket) }
        var status: Int32 = 0
        waitpid(maker.pid, &status, 0)
        try #require(status == 0, "openssl makes no certificate")

        let server = try Spawned(["s_server", "-4", "-accept", "localhost:0"] + files)
        process = server.pid
        socket = server.socket
        let port = server.firstMatch(of: /ACCEPT .*:(\d+)\n/)
        url = "https://localhost:\(port ?? "0")/"
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
        send(socket, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
        try #require(port != nil, "openssl does not serve")
    }

    deinit {
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
        close(socket)
        for file in ["key.pem", "certificate.pem"] { unlink("\(folder)/\(file)") }
        rmdir(folder)
    }

    /// A client that trusts the certificate.
    func client() -> HTTPClient {
        var options = HTTPClient.Options.unguarded()
        options.certificateAuthorities = folder + "/certificate.pem"
        return HTTPClient(options)
    }
}

/// An openssl that runs, for as long as the tests do.
private struct Spawned {
    let pid: pid_t
    /// Leads to its standard input, and from its output.
    let socket: Int32

    init(_ arguments: String...) throws { try self.init(arguments) }

    init(_ arguments: [String]) throws {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw POSIXError(errno) }
        socket = ends[0]
        defer { close(ends[1]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        let command = ["setpriv", "--pdeathsig", "KILL", "openssl"] + arguments
        var pointers = command.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, command[0], &actions, nil, pointers, environ)
        self.pid = pid
        guard code == 0 else { throw POSIXError(code) }
    }

    /// What the pattern captures in its output; nil when that ends before.
    func firstMatch(of pattern: Regex<(Substring, Substring)>) -> String? {
        var text = ""
        var part = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = read(socket, &part, part.count)
            guard count > 0 else { return nil }
            text += String(decoding: part[..<count], as: UTF8.self)
            if let match = text.firstMatch(of: pattern) { return String(match.1) }
        }
    }
}

private struct POSIXError: Error, CustomStringConvertible {
    let description: String

    init(_ code: Int32) { description = String(cString: strerror(code)) }
}
