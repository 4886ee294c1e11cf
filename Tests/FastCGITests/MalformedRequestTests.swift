import Testing

/// Well-formed FastCGI that is not an HTTP request.
@Suite struct MalformedRequests {
    @Test(arguments: [
        "abc", "-1", "1.5", "0x1", " 3", "3 ", "3,3", "99999999999999999999", "3\u{0}x\u{0}",
    ])
    func `a CONTENT_LENGTH that is not a number is a 400`(length: String) throws {
        let echo = try EchoProcess()
        let peer = try echo.connect()
        let before = try echo.calls()
        let message = Message("POST", "/", body: Array("abc".utf8), length: length)
        if length.hasPrefix("3\u{0}") {
            // To C the value ends at the zero: it is a 3.
            #expect(try peer.answer(to: message).status == 200)
        } else {
            #expect(try peer.answer(to: message).status == 400)
            #expect(try echo.calls() == before + 1)
        }
        #expect(try peer.text("/next") == "GET /next\n\n")
    }

    @Test func `an empty CONTENT_LENGTH is none`() throws {
        let message = Message("GET", "/", length: "")
        #expect(try EchoProcess().connect().answer(to: message).text == "GET /\n\n")
    }

    @Test(arguments: ["REQUEST_METHOD", "REQUEST_URI"])
    func `a request without a method or a target is a 400`(variable: String) throws {
        let echo = try EchoProcess()
        let peer = try echo.connect()
        let before = try echo.calls()
        #expect(try peer.answer(to: Message().without(variable)).status == 400)
        #expect(try echo.calls() == before + 1)
        #expect(try peer.text("/next") == "GET /next\n\n")
    }

    @Test(arguments: ["", "GE T", "GET\r\n", "메서드"])
    func `a method that is not a token is a 400`(method: String) throws {
        let peer = try EchoProcess().connect()
        #expect(try peer.answer(to: Message(method)).status == 400)
        #expect(try peer.text("/next") == "GET /next\n\n")
    }

    @Test func `no variables at all are a 400`() throws {
        let peer = try EchoProcess().connect()
        try peer.send([.begin(), Record(.parameters), Record(.standardInput)])
        #expect(try peer.answer().status == 400)
    }

    @Test(arguments: [4, 1_000, 100_000])
    func `a body shorter than its CONTENT_LENGTH never reaches the handler`(length: Int) throws {
        let echo = try EchoProcess()
        let peer = try echo.connect()
        let before = try echo.calls()
        try peer.send(Message("POST", "/", body: Array("abc".utf8), length: "\(length)"))
        #expect(peer.failure() == .unanswered)
        #expect(peer.isClosed())
        #expect(try echo.calls() == before + 1)
    }

    @Test func `a body longer than its CONTENT_LENGTH never reaches the handler`() throws {
        let echo = try EchoProcess()
        let peer = try echo.connect()
        let before = try echo.calls()
        try peer.send(Message("POST", "/", body: Array("abc".utf8), length: "2"))
        #expect(peer.failure() == .unanswered)
        #expect(peer.isClosed())
        #expect(try echo.calls() == before + 1)
    }

    @Test func `a body of the limit is served, and one byte more is a 413`() throws {
        let echo = try EchoProcess(["body-bytes-max": 5_000])
        let peer = try echo.connect()
        let largest = [UInt8](repeating: 0x61, count: 5_000)
        #expect(try peer.answer(to: Message("POST", "/", body: largest)).status == 200)
        let before = try echo.calls()
        for excess in [1, 3_193, 100_000, 1_000_000] {
            let body = largest + [UInt8](repeating: 0x62, count: excess)
            #expect(try peer.answer(to: Message("POST", "/", body: body)).status == 413)
        }
        #expect(try echo.calls() == before + 1)
        #expect(try peer.text("/next") == "GET /next\n\n")
    }

    @Test func `a body without an end in sight costs the connection`() throws {
        let echo = try EchoProcess(["body-bytes-max": 5_000])
        let peer = try echo.connect()
        let before = try echo.calls()
        let body = [UInt8](repeating: 0x61, count: 4_000_000)
        _ = try? peer.send(Message("POST", "/", body: body))
        #expect(peer.isClosed())
        #expect(try echo.calls() == before + 1)
    }
}
