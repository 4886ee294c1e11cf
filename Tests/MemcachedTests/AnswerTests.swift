import Glibc
import Memcached
import ShopParts
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

    /// Which lines are the answer to which operation, and no failure.
    private static func isAnswer(_ answer: String, to operation: Operation) -> Bool {
        switch operation {
        case .get, .getMany, .ping: answer == "END\r\n"
        case .add: ["STORED\r\n", "NOT_STORED\r\n"].contains(answer)
        case .set, .setLarge: answer == "STORED\r\n"
        case .cas, .deleteToken: ["STORED\r\n", "EXISTS\r\n", "NOT_FOUND\r\n"].contains(answer)
        case .delete: ["DELETED\r\n", "NOT_FOUND\r\n"].contains(answer)
        }
    }

    // But for a large value, each piece of which the stand-in takes for a command.
    @Test(arguments: Operation.allCases.filter { $0 != .setLarge })
    func `whatever a peer says, an operation is answered or fails`(operation: Operation) throws {
        let path = "\(runDirectory)/stand-in-\(UInt32.random(in: 0...UInt32.max)).sock"
        let peer = try MemcachedStandIn(at: path)
        for answer in MemcachedStandIn.answers {
            peer.say(answer)
            let cache = Memcached(address: .socket(path: path))
            let reason = refusal { try operation.run(on: cache) }
            switch reason {
            case nil: #expect(Self.isAnswer(answer, to: operation), "\(answer.debugDescription)")
            case .failed: #expect(!Self.isAnswer(answer, to: operation) && !cache.isAvailable)
            case .notStored: #expect(answer.hasPrefix("SERVER_ERROR"))
            default: Issue.record("\(answer.debugDescription): \(String(describing: reason))")
            }
        }
    }

    @Test func `an answer that never ends is given up`() throws {
        let path = "\(runDirectory)/endless-\(UInt32.random(in: 0...UInt32.max)).sock"
        let peer = try UnixSocket.listening(at: path)
        TestThread.detached {
            guard let connection = peer.accept() else { return }
            while (try? connection.send([0x78])) != nil { usleep(2_000) }
        }
        let cache = Memcached(address: .socket(path: path))
        var reason: Unavailable.Reason?
        let took = milliseconds {
            reason = refusal { try cache.set("key", [1], expirySeconds: 1) }
        }
        guard case .failed = reason else {
            Issue.record("\(String(describing: reason))")
            return
        }
        #expect(took < 10_000)
        peer.hangUp()
    }

    @Test func `an entry without a token has none`() throws {
        for answer in ["VALUE key 5 2\r\nhi\r\nEND\r\n", "VALUE key 5 2 0\r\nhi\r\nEND\r\n"] {
            let server = try ScriptedServer(answer)
            let entry = try Memcached(address: .socket(path: server.path)).gets("key")
            #expect(entry?.value == [104, 105] && entry?.cas == nil)
        }
    }

    @Test func `bytes that come before they were asked for are no answer`() throws {
        let path = "\(runDirectory)/hasty-\(UInt32.random(in: 0...UInt32.max)).sock"
        let peer = try MemcachedStandIn(at: path, answering: "END\r\nEND\r\n")
        let cache = Memcached(address: .socket(path: path))
        #expect(refusal { try cache.ping() } != nil)
        withExtendedLifetime(peer) {}
    }

    @Test func `a whole answer is read`() throws {
        let server = try ScriptedServer("VALUE key 5 2 77\r\nhi\r\nEND\r\n")
        let entry = try Memcached(address: .socket(path: server.path)).gets("key")
        #expect(entry?.value == [104, 105] && entry?.flags == 5 && entry?.cas == 77)
    }
}

/// A server that gives one connection one answer and then keeps silent.
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
            var byte: UInt8 = 0
            recv(connection, &byte, 1, Int32(MSG_PEEK))  // Until it is asked.
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
