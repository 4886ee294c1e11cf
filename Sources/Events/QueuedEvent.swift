import Commerce
import FoundationEssentials
import StrictJSON

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
        guard let document = try? JSONValue(reading: envelope),
            let id = try? UUID(uuidString: document.member("id").string()),
            let type = try? document.member("type").string(),
            let payload = try? document.member("data").objectText()
        else { return nil }
        self.id = id
        self.type = EventType(rawValue: type)
        self.payload = payload
    }
}
