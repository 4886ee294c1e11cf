import Glibc
import Testing

@Suite struct Exchanges {
    @Test func `a handler sees method, target, header fields and body, and its answer is sent`()
        throws
    {
        let echo = try EchoProcess()
        let answer = try echo.connect().answer(
            to: Message(
                "POST", "/a%20b?c=%EA%B9%80&d", fields: [("HTTP_IDEMPOTENCY_KEY", "k=1")],
                body: Array("[{\"김\": 1}]".utf8)))
        #expect(answer.status == 200)
        #expect(answer.fields["content-type"] == "text/plain")
        #expect(answer.fields["content-length"] == "\(answer.body.count)")
        #expect(answer.protocolStatus == 0)
        #expect(
            answer.text == """
                POST /a%20b?c=%EA%B9%80&d
                idempotency-key: k=1

                [{"김": 1}]
                """)
    }

    @Test func `variables that are not header fields do not become any`() throws {
        let echo = try EchoProcess()
        let message = Message(fields: [("SERVER_NAME", "shop"), ("HTTPS", "on"), ("HTTP_", "x")])
        #expect(try echo.connect().answer(to: message).text == "GET /\n\n")
    }

    @Test func `a kept connection serves many requests`() throws {
        let peer = try EchoProcess().connect()
        for number in 1...500 {
            let answer = try peer.answer(
                to: Message("PUT", "/\(number)", body: Array("body \(number)".utf8)))
            #expect(answer.text == "PUT /\(number)\n\nbody \(number)")
        }
    }

    @Test func `a connection is closed after the answer when the peer does not keep it`() throws {
        let echo = try EchoProcess()
        let peer = try echo.connect()
        var message = Message("GET", "/once")
        message.keep = false
        #expect(try peer.answer(to: message).text == "GET /once\n\n")
        #expect(peer.isClosed())
    }

    @Test func `requests of one connection are answered by different workers`() throws {
        let echo = try EchoProcess(["workers": 2])
        let (peer, other) = (try echo.connect(), try echo.connect())
        var workers: Set<String> = []
        for _ in 1...100 where workers.count < 2 {
            workers.insert(try peer.text("/worker"))
            try other.send(Message("GET", "/sleep?20"))
            workers.insert(try peer.text("/worker"))
            #expect(try other.answer().text == "slept")
        }
        #expect(workers.count == 2)
    }

    @Test func `a request that comes byte by byte is a request`() throws {
        let peer = try EchoProcess(["peer-seconds": 1]).connect()
        let message = Message("POST", "/slow", body: Array("a body".utf8))
        for byte in message.bytes {
            try peer.send([byte])
            usleep(500)
        }
        #expect(try peer.answer().text == "POST /slow\n\na body")
        #expect(try peer.text("/next") == "GET /next\n\n")
    }

    @Test(arguments: [1, 7, 8, 127, 128, 4_095, 4_096, 4_097, 8_191, 8_192, 65_536])
    func `a body of any length arrives whole, in records of any length, padded or not`(length: Int)
        throws
    {
        let peer = try EchoProcess().connect()
        let body = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for (chunk, padding) in [(65_535, 0), (1_000, 255), (max(1, length / 100), 7)] {
            var message = Message("POST", "/", body: body)
            message.chunk = chunk
            message.padding = padding
            let answer = try peer.answer(to: message)
            #expect(answer.body == Array("POST /\n\n".utf8) + body, "\(chunk) \(padding)")
        }
    }

    @Test(arguments: [0, 1, 8_176, 8_184, 8_185, 65_535, 65_536, 3_000_000])
    func `a response of any length arrives whole`(length: Int) throws {
        let peer = try EchoProcess().connect()
        let answer = try peer.answer(to: Message("GET", "/large?\(length)"))
        #expect(answer.body == Array(repeating: 0x78, count: length))
        #expect(answer.fields["content-length"] == "\(length)")
        #expect(try peer.text("/next") == "GET /next\n\n")
    }

    @Test func `a HEAD request gets the length of the body and no body`() throws {
        let peer = try EchoProcess().connect()
        let answer = try peer.answer(to: Message("HEAD", "/large?1234"))
        #expect(answer.status == 200)
        #expect(answer.fields["content-length"] == "1234")
        #expect(answer.body.isEmpty)
        #expect(try peer.text("/next") == "GET /next\n\n")
    }

    @Test func `a 304 has no body, and other statuses have theirs`() throws {
        let peer = try EchoProcess().connect()
        let unmodified = try peer.answer(to: Message("GET", "/status?304"))
        #expect(unmodified.status == 304)
        #expect(unmodified.body.isEmpty)
        let missing = try peer.answer(to: Message("GET", "/status?404"))
        #expect(missing.status == 404)
        #expect(missing.text == "a body")
    }

    @Test func `the number of a request is its own, not the connection's`() throws {
        let peer = try EchoProcess().connect()
        for id in [UInt16(1), 2, 255, 256, 65_535] {
            var message = Message("GET", "/\(id)")
            message.id = id
            try peer.send(message)
            var isEnded = false
            while !isEnded {
                let record = try #require(try peer.record())
                #expect(record.request == id)
                isEnded = record.is(.endRequest)
            }
        }
    }
}

@Suite struct HeaderFields {
    @Test func `values keep their Unicode, equals signs and inner spaces`() throws {
        let values = ["김테스트", "a=b=c", "a  b", "😀", "\"quoted\"", ";,:"]
        let echo = try EchoProcess()
        for value in values {
            let answer = try echo.connect().answer(to: Message(fields: [("HTTP_X_ODD", value)]))
            #expect(answer.text == "GET /\nx-odd: \(value)\n\n")
        }
    }

    @Test func `a value with a line end is not another field`() throws {
        let echo = try EchoProcess()
        for value in ["a\r\nx-forged: 1", "a\nx-forged: 1", "a\rx-forged: 1", "\n\nx"] {
            let answer = try echo.connect().answer(to: Message(fields: [("HTTP_X_ODD", value)]))
            #expect(answer.status == 200)
            let lines = answer.text.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(!lines.contains { $0.hasPrefix("x-forged") }, "\(value)")
            #expect(lines.count <= 4, "\(value)")
        }
    }

    @Test func `every byte is allowed in a value, and the next request is unharmed`() throws {
        let peer = try EchoProcess().connect()
        for byte in UInt8.min...UInt8.max {
            var message = Message()
            message.variables.append(("HTTP_X_ODD", [0x61, byte, 0x62]))
            #expect(try peer.answer(to: message).status == 200, "byte \(byte)")
        }
        #expect(try peer.text("/next") == "GET /next\n\n")
    }

    @Test func `every byte is allowed in a variable's name`() throws {
        let echo = try EchoProcess()
        for byte in UInt8.min...UInt8.max {
            var message = Message()
            let name: [UInt8] = Array("HTTP_X".utf8) + [byte]
            let pair = Message.length(name.count) + Message.length(1) + name + [0x31]
            message.variables = Message().variables
            let records =
                [Record.begin(), Record(.parameters, message.parameters + pair)]
                + [Record(.parameters), Record(.standardInput)]
            let peer = try echo.connect()
            try peer.send(records)
            #expect(try peer.answer().status == 200, "byte \(byte)")
        }
    }

    @Test func `a hundred fields of a kilobyte each are read`() throws {
        let value = String(repeating: "v", count: 1_000)
        let fields = (1...100).map { ("HTTP_FIELD_\($0)", value) }
        let answer = try EchoProcess().connect().answer(to: Message(fields: fields))
        #expect(answer.text.split(separator: "\n").count == 101)
        #expect(answer.text.contains("\nfield-100: \(value)\n"))
    }
}
