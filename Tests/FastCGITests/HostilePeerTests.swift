import Glibc
import Testing

/// What is not FastCGI, or breaks off: nobody is answered, and nothing is left of it.
@Suite struct HostilePeers {
    private let echo: EchoProcess
    private let idleDescriptors: Int

    init() throws {
        echo = try EchoProcess(["workers": 4, "peer-seconds": 2])
        idleDescriptors = try echo.descriptorsAtRest()
    }

    /// Every trial is made more often than there are workers, to find one that is lost.
    private func trials(_ body: (Peer) throws -> Void) throws {
        let before = try echo.calls()
        for _ in 1...12 { try body(try echo.connect()) }
        let isClean = eventually { echo.descriptors <= idleDescriptors }
        #expect(isClean, "\(echo.descriptors) descriptors, not \(idleDescriptors)")
        #expect(try echo.isServing())
        #expect(try echo.calls() == before + 2, "the handler was called")
    }

    @Test func `a peer that closes at once`() throws {
        try trials { $0.close() }
    }

    @Test func `a peer that closes amid the first record`() throws {
        try trials {
            try $0.send(Array(Record.begin().bytes.prefix(5)))
            $0.close()
        }
    }

    @Test func `a peer that closes amid the variables`() throws {
        let bytes = Message("POST", "/", body: [1, 2, 3]).bytes
        try trials {
            try $0.send(Array(bytes.prefix(40)))
            $0.close()
        }
    }

    @Test func `a peer that closes between variables and body`() throws {
        let message = Message("POST", "/", body: [1, 2, 3])
        try trials {
            try $0.send(Array(message.records.prefix(3)))
            $0.close()
        }
    }

    @Test func `a peer that closes amid the body`() throws {
        let message = Message("POST", "/", body: [UInt8](repeating: 1, count: 50_000))
        try trials {
            try $0.send(Array(message.bytes.dropLast(20_000)))
            $0.close()
        }
    }

    @Test func `a peer that ends its sending amid the body`() throws {
        let message = Message("POST", "/", body: [UInt8](repeating: 1, count: 50_000))
        try trials {
            try $0.send(Array(message.bytes.dropLast(9)))
            $0.finishSending()
            #expect($0.isClosed())
        }
    }

    @Test func `a peer that ends its sending amid a body of unknown length`() throws {
        let message = Message("POST", "/", body: [UInt8](repeating: 1, count: 50_000))
        let bytes = message.without("CONTENT_LENGTH").bytes
        try trials {
            try $0.send(Array(bytes.dropLast(9)))
            $0.finishSending()
            #expect($0.isClosed())
        }
    }

    @Test func `a peer that does not wait for its answer`() throws {
        for _ in 1...12 {
            let peer = try echo.connect()
            try peer.send(Message("GET", "/large?1000000"))
            peer.close()
        }
        for _ in 1...4 {
            let peer = try echo.connect()
            try peer.send(Message("GET", "/sleep?50"))
            peer.close()
        }
        #expect(eventually { echo.descriptors <= idleDescriptors })
        #expect(try echo.isServing())
    }

    @Test(arguments: [UInt8(0), 2, 255])
    func `another version of the protocol`(version: UInt8) throws {
        var begin = Record.begin()
        begin.version = version
        try trials {
            try $0.send([begin] + Message().records.dropFirst())
            #expect($0.isClosed())
        }
    }

    @Test func `another role than responder, authorizer or filter`() throws {
        try trials {
            try $0.send([.begin(role: 9)] + Message().records.dropFirst())
            #expect($0.isClosed())
        }
    }

    @Test func `an HTTP request instead of a FastCGI one`() throws {
        try trials {
            try $0.send(Array("GET / HTTP/1.1\r\nHost: shop\r\n\r\n".utf8))
            #expect($0.isClosed())
        }
    }

    @Test func `random bytes, with a plausible beginning or without`() throws {
        for round in 1...200 {
            // Among the variables no lengths of four bytes: libfcgi aborts where two of them come
            // to more than there is memory.
            let largest: UInt8 = round % 4 == 3 ? 127 : 255
            let noise = (1...Int.random(in: 1...3_000)).map { _ in UInt8.random(in: 0...largest) }
            let beginning: [UInt8] =
                switch round % 4 {
                case 0: []
                case 1: [1]
                case 2: Record.begin().bytes
                default: Array(Message().bytes.prefix(Int.random(in: 1...90)))
                }
            let peer = try echo.connect()
            // It may be closed before all has been sent.
            _ = try? peer.send(beginning + noise)
            peer.finishSending()
            #expect(peer.isClosed(), "\(beginning + noise)")
        }
        #expect(try echo.isServing())
        #expect(eventually { echo.descriptors <= idleDescriptors })
    }

    @Test(
        arguments: [
            [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            [0xFF, 0xFF, 0xFF, 0xFF, 0x00],
            [0x00, 0xFF, 0xFF, 0xFF, 0xFF],
            [0x80, 0x01, 0x00, 0x00, 0x80, 0x01, 0x00, 0x00],
            [0x7F, 0x7F], [0x80, 0x00], [0x80], [0x05],
        ] as [[UInt8]])
    func `lengths of names and values that promise more than there is`(lengths: [UInt8]) throws {
        let content = lengths + Array("NAMEvalue".utf8.prefix(lengths.count > 1 ? 9 : 0))
        try trials {
            try $0.send([
                .begin(), Record(.parameters, content), Record(.parameters),
                Record(.standardInput),
            ])
            #expect($0.isClosed())
        }
    }

    @Test func `a body before the variables`() throws {
        try trials {
            try $0.send([.begin(), Record(.standardInput, [1, 2, 3])])
            $0.finishSending()
            #expect($0.isClosed())
        }
    }
}

/// Records that a FastCGI peer may send, though nginx does not.
@Suite struct UnusualRecords {
    @Test func `a question for values is answered, and the connection serves on`() throws {
        let peer = try EchoProcess().connect()
        let name = Array("FCGI_MPXS_CONNS".utf8)
        let question = [UInt8(name.count), 0] + name
        try peer.send([Record(.getValues, request: 0, question, padding: 7)])
        let values = try #require(try peer.record())
        #expect(values.is(.getValuesResult))
        #expect(values.content == [UInt8(name.count), 1] + name + [UInt8(ascii: "0")])
        #expect(try peer.text("/next") == "GET /next\n\n")
    }

    @Test func `an unknown management record is called unknown`() throws {
        let peer = try EchoProcess().connect()
        var record = Record(.getValues, request: 0)
        record.kind = 77
        try peer.send([record])
        let reply = try #require(try peer.record())
        #expect(reply.is(.unknownType))
        #expect(reply.content.first == 77)
        #expect(try peer.text("/next") == "GET /next\n\n")
    }

    @Test func `a second request during the first is turned away, and the first is answered`()
        throws
    {
        let peer = try EchoProcess().connect()
        var records = Message("POST", "/first", body: [0x61]).records
        records.insert(.begin(2), at: 1)
        try peer.send(records)
        let refusal = try #require(try peer.record())
        #expect(refusal.is(.endRequest))
        #expect(refusal.request == 2)
        #expect(refusal.content[4] == 1)  // FCGI_CANT_MPX_CONN
        #expect(try peer.answer().text == "POST /first\n\na")
        #expect(try peer.text("/next") == "GET /next\n\n")
    }

    @Test func `records of other requests are passed over`() throws {
        let peer = try EchoProcess().connect()
        var records = Message("POST", "/first", body: [0x61]).records
        records.insert(Record(.standardInput, request: 7, [1, 2, 3], padding: 5), at: 1)
        records.insert(Record(.parameters, request: 8, [1, 2, 3]), at: 3)
        try peer.send(records)
        #expect(try peer.answer().text == "POST /first\n\na")
    }
}
