/// A message of a queue.
public struct Message: Sendable, Equatable {
    /// Names it wherever it comes: who has seen it drops it.
    public var id: String
    public var contentType: String
    /// Seconds since 1970.
    public var timestamp: UInt64
    /// Such as `traceparent`. Of a received message those that are text.
    public var headers: [String: String]
    public var body: [UInt8]

    public init(
        id: String, contentType: String, timestamp: UInt64, headers: [String: String] = [:],
        body: [UInt8]
    ) {
        self.id = id
        self.contentType = contentType
        self.timestamp = timestamp
        self.headers = headers
        self.body = body
    }
}
