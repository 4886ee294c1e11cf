public import FoundationEssentials

/// Something that has become true, told to whoever wants to know.
///
/// Written in the transaction that makes it true, and never changed. It holds numbers only, and
/// nothing of a person.
public struct Event: Sendable, Identifiable {
    /// What an event is about. The raw value is what the schema stores.
    public enum Aggregate: String, Sendable {
        case order = "ORDER"
        case user = "USER"
    }

    /// Of version 7: in the order of time. Receivers drop what they have seen by it.
    public let id: UUID
    public let aggregate: Aggregate
    public let aggregateID: Int64
    public let type: EventType
    /// Of the payload's form.
    public let version: Int
    /// A JSON object.
    public let payload: [UInt8]
    public let createdAt: Moment
    /// Of the request that made it true.
    public let traceID: TraceID?

    public init(
        id: UUID, aggregate: Aggregate, aggregateID: Int64, type: EventType, version: Int = 1,
        payload: [UInt8], createdAt: Moment, traceID: TraceID? = nil
    ) {
        self.id = id
        self.aggregate = aggregate
        self.aggregateID = aggregateID
        self.type = type
        self.version = version
        self.payload = payload
        self.createdAt = createdAt
        self.traceID = traceID
    }
}

/// What kind of thing has happened.
///
/// Not an `enum`: what a newer program has written, an older one passes on all the same.
public struct EventType: RawRepresentable, Hashable, Sendable {
    /// Lower-case letters and dots.
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }

    public static let orderPaid = EventType(rawValue: "order.paid")
    public static let orderCancelled = EventType(rawValue: "order.cancelled")
    public static let pointsCharged = EventType(rawValue: "points.charged")
}

/// W3C trace id: what belongs to one request, in all the systems that it passes.
public struct TraceID: Hashable, Sendable, CustomStringConvertible {
    /// 32 hexadecimal digits in lower case, not all of them zero.
    public let description: String

    /// Nil for anything but 32 hexadecimal digits in lower case, not all of them zero.
    public init?(_ text: some StringProtocol) {
        let digits = text.utf8
        guard digits.count == 32, digits.contains(where: { $0 != UInt8(ascii: "0") }),
            digits.allSatisfy({ digit in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(digit)
            })
        else { return nil }
        description = String(text)
    }
}
