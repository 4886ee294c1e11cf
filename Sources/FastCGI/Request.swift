public import HTTPTypes

/// One HTTP request, as nginx passed it on.
public struct Request: Sendable {
    public let method: HTTPRequest.Method
    /// The raw request target, percent-encoded as the client sent it: path and query.
    public let target: String
    public let headerFields: HTTPFields
    public let body: [UInt8]

    public init(
        method: HTTPRequest.Method, target: String, headerFields: HTTPFields = [:],
        body: [UInt8] = []
    ) {
        self.method = method
        self.target = target
        self.headerFields = headerFields
        self.body = body
    }

    /// The target without its query.
    public var path: Substring {
        let end = target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        return target[..<end]
    }

    /// The first field of a name. Requests have few fields: looking through them is faster than
    /// the index that `HTTPFields` would make for its subscript.
    public func firstField(_ name: HTTPField.Name) -> String? {
        headerFields.first { $0.name == name }?.value
    }
}

/// One HTTP response. `Content-Length` is added when it is sent: without it HTTP/1.0 clients cannot
/// keep a connection.
public struct Response: Sendable {
    public var status: HTTPResponse.Status
    public var headerFields: HTTPFields
    public var body: [UInt8]

    public init(status: HTTPResponse.Status, headerFields: HTTPFields = [:], body: [UInt8] = []) {
        self.status = status
        self.headerFields = headerFields
        self.body = body
    }
}
