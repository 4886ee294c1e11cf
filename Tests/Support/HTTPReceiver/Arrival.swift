/// A request as it came.
public struct Arrival: Sendable {
    public let method: String
    /// With the query.
    public let path: String
    /// By name in lower case; of several with one name, the last.
    public let headers: [String: String]
    public let body: [UInt8]
    /// Which connection it came on, counted from 1.
    public let connection: Int
}

/// Takes requests apart as they come on a connection. Bodies need a Content-Length.
struct RequestReader {
    private static let headBytesMax = 64 * 1_024

    private let socket: Socket
    private var bytes: [UInt8] = []

    init(_ socket: Socket) { self.socket = socket }

    /// The next request; nil when the peer has gone or sends something else.
    mutating func next(onConnection connection: Int) -> Arrival? {
        guard let head = takeHead() else { return nil }
        let lines = head.split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count == 3 else { return nil }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        let length = headers["content-length"].flatMap(Int.init) ?? 0
        while bytes.count < length { guard receive() else { return nil } }
        let body = Array(bytes.prefix(length))
        bytes.removeFirst(length)
        return Arrival(
            method: String(words[0]), path: String(words[1]), headers: headers, body: body,
            connection: connection)
    }

    /// Everything before the empty line.
    private mutating func takeHead() -> String? {
        let end = Array("\r\n\r\n".utf8)
        var searched = 0
        while true {
            while searched + end.count <= bytes.count {
                if bytes[searched..<(searched + end.count)].elementsEqual(end) {
                    let head = String(decoding: bytes[..<searched], as: UTF8.self)
                    bytes.removeFirst(searched + end.count)
                    return head
                }
                searched += 1
            }
            guard bytes.count <= Self.headBytesMax, receive() else { return nil }
        }
    }

    private mutating func receive() -> Bool {
        let part = socket.receive()
        bytes.append(contentsOf: part)
        return !part.isEmpty
    }
}
