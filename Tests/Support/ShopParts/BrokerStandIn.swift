import Glibc

/// Something at RabbitMQ's port that says what it was told to say, to everybody and at once, and
/// then nothing more.
package final class BrokerStandIn: Sendable {
    package let port: UInt16
    private let listener: Int32
    private let said: Shared<[UInt8]>

    package init(saying bytes: [UInt8] = []) throws {
        let said = Shared(bytes)
        self.said = said
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        var address = loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, size) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, address, &size) == 0
            }
        }
        guard isListening else { throw Failure("no port for a stand-in of the broker") }
        port = UInt16(bigEndian: address.sin_port)
        TestThread.detached {
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { break }
                Self.say(said.withLock { $0 }, on: connection)
            }
            close(listener)  // Not before: its number may become another stand-in's.
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    package var url: String { "amqp://127.0.0.1:\(port)" }

    /// What those who connect from now on are told.
    package func say(_ bytes: [UInt8]) { said.withLock { $0 = bytes } }

    private static func say(_ bytes: [UInt8], on connection: Int32) {
        _ = bytes.withUnsafeBytes {
            send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        shutdown(connection, Int32(SHUT_WR))
        // What is unread when it is closed would take back what was sent.
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while recv(connection, &buffer, buffer.count, 0) > 0 {}
        close(connection)
    }
}

/// What a broker says, as AMQP 0-9-1 writes it.
package enum BrokerBytes {
    /// All that a client waits for until its channel is open.
    package static let login =
        method(
            10, 10,
            [0, 9] + number(0, bytes: 4) + longText("PLAIN") + longText("en_US"), channel: 0)
        + method(
            10, 30, number(1, bytes: 2) + number(131_072, bytes: 4) + number(0, bytes: 2),
            channel: 0)
        + method(10, 41, [0], channel: 0)
        + method(20, 11, number(0, bytes: 4))
    /// What a publisher and a consumer wait for after it.
    package static let confirms = method(85, 11, [])
    package static let consumes = method(60, 11, []) + method(60, 21, [1, 0x63])

    package static func frame(
        _ type: UInt8, channel: UInt16 = 1, _ payload: [UInt8]
    ) -> [UInt8] {
        [type] + number(UInt64(channel), bytes: 2) + number(UInt64(payload.count), bytes: 4)
            + payload + [0xCE]
    }

    package static func method(
        _ ofClass: UInt64, _ method: UInt64, _ arguments: [UInt8], channel: UInt16 = 1
    ) -> [UInt8] {
        frame(1, channel: channel, number(ofClass, bytes: 2) + number(method, bytes: 2) + arguments)
    }

    /// basic.ack or basic.nack.
    package static func confirm(
        _ tag: UInt64, multiple: Bool = false, isAck: Bool = true
    ) -> [UInt8] {
        method(60, isAck ? 80 : 120, number(tag, bytes: 8) + [multiple ? 1 : 0])
    }

    package static func deliver(_ tag: UInt64) -> [UInt8] {
        method(60, 60, [1, 0x63] + number(tag, bytes: 8) + [0, 0, 1, 0x6B])
    }

    package static func header(
        ofClass number: UInt64 = 60, bodyBytes: UInt64, channel: UInt16 = 1,
        properties: [UInt8] = [0, 0]
    ) -> [UInt8] {
        frame(
            2, channel: channel,
            Self.number(number, bytes: 2) + [0, 0] + Self.number(bodyBytes, bytes: 8) + properties)
    }

    package static func body(_ bytes: [UInt8]) -> [UInt8] { frame(3, bytes) }

    package static func number(_ number: UInt64, bytes: Int) -> [UInt8] {
        (0..<bytes).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    package static func longText(_ text: String) -> [UInt8] {
        number(UInt64(text.utf8.count), bytes: 4) + Array(text.utf8)
    }

    /// A table whose only value is an array in an array, so many times.
    package static func nest(_ depth: Int) -> [UInt8] {
        let heads = (0..<depth).flatMap { level in
            [UInt8(ascii: "A")] + number(UInt64(5 * (depth - level - 1)), bytes: 4)
        }
        return number(UInt64(heads.count + 2), bytes: 4) + [1, UInt8(ascii: "k")] + heads
    }
}
