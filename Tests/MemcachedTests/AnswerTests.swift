import Glibc
import Memcached
import Testing

/// Answers that a sound memcached does not give, from a server that says what it was told to.
@Suite struct BadAnswers {
    @Test(arguments: [
        "", "VALUE", "VALUE key 0 10 1\r\nabc", "VALUE key 0 3 1\r\nabc\r\n", "nonsense\r\n",
        "VALUE key 0 x 1\r\nabc\r\nEND\r\n",
    ])
    func `an answer that stops or makes no sense is a failure, not a miss`(answer: String) throws {
        let server = try ScriptedServer(answer)
        let cache = Memcached(address: .socket(path: server.path))
        var reason: Unavailable.Reason?
        let took = milliseconds {
            reason = refusal {
                let entry = try cache.gets("key")
                Issue.record("\(answer) was read as \(String(describing: entry))")
            }
        }
        guard case .failed = reason else {
            Issue.record("\(String(describing: reason))")
            return
        }
        #expect(took < 5_000)
        #expect(!cache.isAvailable)
    }

    @Test func `the entries of an answer that stops in the middle are not passed on`() throws {
        let server = try ScriptedServer("VALUE a 0 1 1\r\nx\r\nVALUE b 0 5 1\r\nx")
        let cache = Memcached(address: .socket(path: server.path))
        let reason = refusal { _ = try cache.gets(["a", "b"]) }
        #expect(reason != nil && !cache.isAvailable)
    }

    @Test func `a whole answer is read`() throws {
        let server = try ScriptedServer("VALUE key 5 2 77\r\nhi\r\nEND\r\n")
        let entry = try Memcached(address: .socket(path: server.path)).gets("key")
        #expect(entry?.value == [104, 105] && entry?.flags == 5 && entry?.cas == 77)
    }
}

/// A server that gives one connection one answer at once and then keeps silent.
private final class ScriptedServer {
    let path: String
    private let listener: Int32

    /// Answers from a thread that ends after its only connection is answered.
    init(_ answer: String) throws {
        path = "\(runDirectory)/scripted-\(UInt32.random(in: 0...UInt32.max)).sock"
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        try #require(bindSocket(listener, to: path) == 0 && listen(listener, 4) == 0)
        let thread = startThread {
            let connection = accept(listener, nil, nil)
            _ = Array(answer.utf8).withUnsafeBytes {
                send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
        }
        pthread_detach(thread)
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        unlink(path)
    }
}

private func bindSocket(_ descriptor: Int32, to path: String) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
}
