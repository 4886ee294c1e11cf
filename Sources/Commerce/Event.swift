public import FoundationEssentials

/// Something that has become true, told to whoever wants to know.
///
/// Written in the transaction that makes it true, and never changed. It holds numbers only, and
/// nothing of a person.
public struct Event: Sendable, Identifiable {
    /// What an event is about.
    public enum Aggregate: String, Sendable {
        case order = "ORDER"
        case user = "USER"
    }

    /// Of version 7: in the order of time. Receivers drop what they have seen by it.
    public let id: UUID
    public let aggregate: Aggregate
    public let aggregateID: Int64
    /// Such as `order.paid`.
    public let type: String
    /// Of the payload's form.
    public let version: Int
    /// A JSON object.
    public let payload: [UInt8]
    public let createdAt: Moment
    /// 32 hexadecimal digits: the request that made it true.
    public let traceID: String?

    public init(
        id: UUID, aggregate: Aggregate, aggregateID: Int64, type: String, version: Int = 1,
        payload: [UInt8], createdAt: Moment, traceID: String? = nil
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
