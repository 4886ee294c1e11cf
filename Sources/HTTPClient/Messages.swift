public import HTTPTypes

extension HTTPClient {
    /// A POST.
    public struct Request: Sendable {
        /// `https` or `http`, without a user.
        public var url: String
        /// Besides Host and Content-Length, which come by themselves.
        public var headers: HTTPFields
        public var body: [UInt8]

        public init(post body: [UInt8], to url: String, headers: HTTPFields = [:]) {
            self.url = url
            self.headers = headers
            self.body = body
        }
    }

    /// What a server said in the head of its answer. It counts whatever becomes of the body, which
    /// nobody reads.
    public struct Response: Sendable, Equatable {
        /// 200 to 599, usually; a redirect is an answer like others.
        public var status: Int
        /// How long the server wants to be left alone (Retry-After, in seconds or as a date); nil if
        /// it does not say, or the time is over.
        public var retryAfterSeconds: Int?
    }

    /// Why there is no answer. Its description is for operators, and holds neither the path of the
    /// URL nor a header.
    public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// Not an `http` or `https` URL, or one with a user.
        case invalidURL
        /// The name leads to an address that ``Options/addresses`` does not allow.
        case addressRefused(String)
        /// The name leads nowhere.
        case nameNotFound
        /// Nobody takes the connection; in the system's words.
        case unreachable(String)
        /// No connection in time: nothing was sent.
        case noConnectionInTime(milliseconds: Int)
        /// Sent, or about to be, and no head of an answer in time.
        case noAnswerInTime(milliseconds: Int)
        /// The server is not who it should be, or speaks no TLS; in libcurl's words.
        case untrusted(String)
        /// The connection broke, or the answer is not HTTP; in libcurl's words.
        case broken(String)

        public var description: String {
            switch self {
            case .invalidURL: "not a URL that can be sent to"
            case .addressRefused(let address): "the address \(address) is not a public one"
            case .nameNotFound: "the host's name has no address"
            case .unreachable(let cause): "no connection: \(cause)"
            case .noConnectionInTime(let limit): "no connection within \(limit) ms"
            case .noAnswerInTime(let limit): "no answer within \(limit) ms"
            case .untrusted(let cause): "no trusted connection: \(cause)"
            case .broken(let cause): "no answer: \(cause)"
            }
        }
    }
}
