import CCurl

extension HTTPClient {
    /// What is wrong with a URL, for whoever typed it.
    public enum URLProblem: Error, Sendable, Equatable, CustomStringConvertible {
        case tooLong
        case notASCII
        case notHTTP
        case hasUser
        case malformed

        public var description: String {
            switch self {
            case .tooLong: "the URL is longer than \(urlBytesMax) bytes"
            case .notASCII: "the URL has a blank or a character that is not ASCII"
            case .notHTTP: "the URL begins neither with https:// nor with http://"
            case .hasUser: "the URL has a user or a password in it"
            case .malformed: "the URL is malformed"
            }
        }
    }

    /// What the database keeps of one, and what common servers take.
    private static let urlBytesMax = 2_048

    /// Checks a URL as ``send(_:)`` will read it: by libcurl itself. Where it leads is checked when
    /// it is connected to.
    ///
    /// - Throws: the first thing that is wrong with it.
    public static func check(_ url: String) throws(URLProblem) {
        guard url.utf8.count <= urlBytesMax else { throw .tooLong }
        let visible = UInt8(ascii: "!")...UInt8(ascii: "~")
        guard url.utf8.allSatisfy(visible.contains) else { throw .notASCII }
        let scheme = url.prefix { $0 != ":" }
        guard ["https", "http"].contains(scheme.lowercased()) else { throw .notHTTP }
        let rest = url.dropFirst(scheme.count)
        // libcurl would forgive more slashes, and fewer, and take the path for the host.
        guard rest.hasPrefix("://"), !rest.hasPrefix(":///") else { throw .malformed }
        guard let parts = curl_url() else { fatalError("no memory for a URL") }
        defer { curl_url_cleanup(parts) }
        switch curl_url_set(parts, CURLUPART_URL, url, UInt32(CURLU_DISALLOW_USER)) {
        case CURLUE_OK: return
        case CURLUE_USER_NOT_ALLOWED: throw .hasUser
        default: throw .malformed
        }
    }
}
