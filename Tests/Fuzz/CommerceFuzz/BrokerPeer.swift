import ShopParts

@testable import AMQP

/// What the broker says to a client.
enum BrokerPeer {
    private static let standIn: BrokerStandIn = {
        do {
            return try BrokerStandIn()
        } catch {
            preconditionFailure("\(error)")
        }
    }()

    /// Says bytes to a client: as they are, or as frames of their own after a login.
    static func talk(_ bytes: [UInt8]) {
        guard let choice = bytes.first else { return }
        let rest = Array(bytes.dropFirst())
        switch choice % 4 {
        case 0: talk(rest) { _ = try? Consumer($0, of: "queue", prefetch: 9) }
        case 1: talk(BrokerBytes.login + BrokerBytes.confirms + rest, publish)
        case 2: talk(BrokerBytes.login + BrokerBytes.confirms + frames(rest), publish)
        default: talk(BrokerBytes.login + BrokerBytes.consumes + frames(rest), consume)
        }
    }

    private static func talk(_ bytes: [UInt8], _ body: (Connection) -> Void) {
        standIn.say(bytes)
        guard let address = try? Broker(url: standIn.url),
            let connection = try? Connection(to: address)
        else { return }
        body(connection)
    }

    private static func publish(_ connection: Connection) {
        guard let publisher = try? Publisher(connection) else { return }
        let messages = ["one", "two"].map { id in
            (
                message: Message(id: id, contentType: "", timestamp: 0, body: [1]), key: "key",
                isMandatory: true
            )
        }
        let outcomes = publisher.publish(messages, to: "exchange", withinMilliseconds: 2_000)
        precondition(outcomes.count == 2)
    }

    private static func consume(_ connection: Connection) {
        guard let consumer = try? Consumer(connection, of: "queue", prefetch: 9) else { return }
        while let deliveries = try? consumer.receive(9, withinMilliseconds: 2_000) {
            precondition(!deliveries.isEmpty)
        }
    }

    /// Each a kind, a channel and a length, and so many bytes.
    private static func frames(_ bytes: [UInt8]) -> [UInt8] {
        var rest = bytes[...]
        var frames: [UInt8] = []
        while rest.count >= 3 {
            let head = Array(rest.prefix(3))
            let payload = rest.dropFirst(3).prefix(Int(head[2]))
            rest = rest.dropFirst(3 + payload.count)
            frames += BrokerBytes.frame(head[0], channel: UInt16(head[1]), Array(payload))
        }
        return frames
    }
}
