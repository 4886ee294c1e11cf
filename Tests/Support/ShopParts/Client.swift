import Glibc

/// What a server answered.
package struct Answer: Sendable {
    package let status: Int
    /// As they were sent, in their order.
    package let fields: [(name: String, value: String)]
    package let body: [UInt8]
    /// Whether the request was one whose answer has no body.
    package let isBodiless: Bool

    package var text: String { String(decoding: body, as: UTF8.self) }

    package subscript(name: String) -> String? {
        fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// What it lacks of what every response has.
    package var faults: [String] {
        var faults: [String] = []
        let length = self["Content-Length"]
        if !isBodiless && length != String(body.count) {
            faults.append("Content-Length is \(length ?? "missing"), the body has \(body.count)")
        }
        let ids = fields.filter { $0.name.lowercased() == "x-request-id" }
        if ids.count != 1 || ids[0].value.count != 32 {
            faults.append("X-Request-Id is \(ids.map(\.value))")
        }
        if fields.filter({ $0 == ("X-Content-Type-Options", "nosniff") }).count != 1 {
            faults.append("X-Content-Type-Options is not nosniff, once")
        }
        return faults
    }
}

/// An HTTP/1.1 client with one connection, which it keeps as long as the server does.
///
/// Blocks; every wait is bounded.
package final class Client {
    private let port: UInt16
    private let patienceSeconds: Int
    private var descriptor: Int32 = -1
    private var received: [UInt8] = []
    /// How often it has connected: 1 as long as the server kept the connection.
    package private(set) var connections = 0

    package init(port: UInt16, patienceSeconds: Int = 30) {
        self.port = port
        self.patienceSeconds = patienceSeconds
    }

    /// Nothing was sent, because nobody took the connection.
    package struct NotConnected: Error, CustomStringConvertible {
        package let description: String
    }

    deinit { disconnect() }

    package func get(_ path: String, _ fields: [String: String] = [:]) throws -> Answer {
        try request("GET", path, fields)
    }

    package func post(
        _ path: String, _ body: String, key: String? = nil
    ) throws -> Answer {
        let fields = key.map { ["Idempotency-Key": $0] } ?? [:]
        return try request("POST", path, fields, body: Array(body.utf8))
    }

    package func request(
        _ method: String, _ path: String, _ fields: [String: String] = [:], body: [UInt8]? = nil
    ) throws -> Answer {
        var lines = ["\(method) \(path) HTTP/1.1"]
        if fields["Host"] == nil { lines.append("Host: 127.0.0.1:\(port)") }
        lines += fields.map { "\($0): \($1)" }
        if let body {
            lines.append("Content-Length: \(body.count)")
            if fields["Content-Type"] == nil { lines.append("Content-Type: application/json") }
        }
        let head = lines.joined(separator: "\r\n") + "\r\n\r\n"
        return try exchange(Array(head.utf8) + (body ?? []), isBodiless: method == "HEAD")
    }

    /// Sends bytes as they are and waits for nothing.
    package func send(_ text: String) throws {
        if descriptor < 0 { try connect() }
        try send(Array(text.utf8))
    }

    /// Sends bytes as they are and reads one response.
    package func exchange(_ bytes: [UInt8], isBodiless: Bool = false) throws -> Answer {
        if descriptor >= 0 && wasClosed { disconnect() }
        if descriptor < 0 { try connect() }
        do {
            try send(bytes)
            return try receive(isBodiless: isBodiless)
        } catch {
            disconnect()
            throw error
        }
    }

    package func disconnect() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        received = []
    }

    // MARK: - The socket

    /// Whether the server has hung up between two requests. There may be an answer to be read: the
    /// next of several that were asked for at once.
    private var wasClosed: Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count == 0 || (count < 0 && errno != EAGAIN)
    }

    private func connect() throws {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        descriptor = socket(AF_INET, type, 0)
        var patience = timeval(tv_sec: patienceSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
        var isOn: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, 4)
        var address = loopback(port)
        let result = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                Glibc.connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            throw NotConnected(description: Self.failure("cannot connect").description)
        }
        connections += 1
    }

    private func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            // A refused body: the answer may be there although not all was taken.
            if count < 0 && (errno == EPIPE || errno == ECONNRESET) { return }
            guard count > 0 else { throw Self.failure("cannot send") }
            rest = rest.dropFirst(count)
        }
    }

    /// - Returns: false at the end.
    private func receiveMore() throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else { throw Self.failure("cannot receive") }
        received += buffer[..<count]
        return count > 0
    }

    // MARK: - The response

    private func receive(isBodiless: Bool) throws -> Answer {
        while true {
            if let end = endOfHead {
                let head = String(decoding: received[..<end], as: UTF8.self)
                received.removeFirst(end + 4)
                return try receiveBody(after: head, isBodiless: isBodiless)
            }
            guard try receiveMore() else { throw Failure("the connection ended before an answer") }
        }
    }

    private var endOfHead: Int? {
        guard received.count >= 4 else { return nil }
        return (0...(received.count - 4)).first { start in
            received[start..<(start + 4)].elementsEqual([13, 10, 13, 10])
        }
    }

    private func receiveBody(after head: String, isBodiless: Bool) throws -> Answer {
        let lines = head.split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { throw Failure("not a response: \(head.prefix(80))") }
        let fields = lines.dropFirst().map { line in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            let value = line[colon...].dropFirst().drop { $0 == " " }
            return (name: String(line[..<colon]), value: String(value))
        }
        let isBodiless = isBodiless || status == 304
        let draft = Answer(status: status, fields: fields, body: [], isBodiless: isBodiless)
        var length = draft["Content-Length"].flatMap { Int($0) }
        if isBodiless { length = 0 }
        while received.count < length ?? .max {
            guard try receiveMore() else {
                guard length == nil else { throw Failure("the connection ended amid a body") }
                break
            }
        }
        let body = Array(received.prefix(length ?? .max))
        received.removeFirst(body.count)
        let isLast = draft["Connection"]?.lowercased() == "close" || length == nil
        if isLast { disconnect() }
        return Answer(status: status, fields: fields, body: body, isBodiless: isBodiless)
    }

    private static func failure(_ what: String) -> Failure {
        Failure("\(what): \(String(cString: strerror(errno)))")
    }
}

package func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}
