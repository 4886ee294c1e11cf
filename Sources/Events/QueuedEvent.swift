import Commerce
import FoundationEssentials

/// What a notification needs of an event, and what is left of one that came through a queue.
struct QueuedEvent: Sendable {
    let id: UUID
    let type: EventType
    /// A JSON object.
    let payload: [UInt8]

    /// Whether it is what the shop wrote, for all that buyers are told of.
    func isCopy(of event: Event) -> Bool {
        id == event.id && type == event.type && payload == event.payload
    }

    /// Reads what ``Event/envelope`` wrote.
    ///
    /// - Returns: nil for anything else.
    init?(envelope: [UInt8]) {
        guard let head = try? JSONDecoder().decode(Head.self, from: Data(envelope)),
            let payload = Self.payload(of: envelope)
        else { return nil }
        id = head.id
        type = EventType(rawValue: head.type)
        self.payload = payload
    }

    private struct Head: Decodable {
        let id: UUID
        let type: String
    }

    /// The payload is the last member, and no text before it can hold the name of one.
    private static func payload(of envelope: [UInt8]) -> [UInt8]? {
        let name = Array(#","data":"#.utf8)
        guard let start = envelope.firstRange(of: name)?.upperBound else { return nil }
        return Array(envelope[start...].dropLast())
    }
}
