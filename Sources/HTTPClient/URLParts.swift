import CCurl

extension HTTPClient {
    /// The same form for URLs that lead to the same place (RFC 3986, 6.2.2 and 6.2.3): scheme and host
    /// in lower case, the port named, no dot segments, nothing percent-encoded that need not be, and no
    /// fragment, which is never sent.
    ///
    /// - Parameter url: one that ``check(_:)`` takes; another is its own form.
    public static func normalized(_ url: String) -> String {
        guard let parts = URLParts(url) else { return url }
        let query = parts.query.map { "?" + $0.withPlainEscapes } ?? ""
        return "\(parts.scheme)://\(parts.host):\(parts.port)\(parts.path.withPlainEscapes)\(query)"
    }

    /// What of a URL says who is connected to, and how.
    public struct Authority: Sendable, Equatable {
        /// Whether it is `https`.
        public let isEncrypted: Bool
        /// A name or an address, in lower case; one of IPv6 in brackets.
        public let host: String
    }

    /// - Returns: nil where ``check(_:)`` would not take the URL.
    public static func authority(of url: String) -> Authority? {
        URLParts(url).map { Authority(isEncrypted: $0.scheme == "https", host: $0.host) }
    }
}

/// A URL as libcurl reads it.
private struct URLParts {
    let scheme: String
    let host: String
    let port: String
    let path: String
    let query: String?

    init?(_ url: String) {
        guard let parts = curl_url() else { fatalError("no memory for a URL") }
        defer { curl_url_cleanup(parts) }
        guard curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK else { return nil }
        func part(_ part: CURLUPart) -> String? {
            var text: UnsafeMutablePointer<CChar>?
            guard curl_url_get(parts, part, &text, UInt32(CURLU_DEFAULT_PORT)) == CURLUE_OK,
                let text
            else { return nil }
            defer { curl_free(text) }
            return String(cString: text)
        }
        guard let scheme = part(CURLUPART_SCHEME), let host = part(CURLUPART_HOST),
            let port = part(CURLUPART_PORT)
        else { return nil }
        self.scheme = scheme.lowercased()
        // A name with and without the root's dot leads to the same place.
        self.host = (host.hasSuffix(".") ? String(host.dropLast()) : host).lowercased()
        self.port = port
        path = part(CURLUPART_PATH) ?? "/"
        query = part(CURLUPART_QUERY)
    }
}

extension String {
    /// Percent escapes of what needs none are plain, and the others have upper-case digits.
    fileprivate var withPlainEscapes: String {
        replacing(#/%([0-9A-Fa-f]{2})/#) { match in
            let byte = UInt8(match.output.1, radix: 16) ?? 0
            let isUnreserved =
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte & 0xDF)
                || "-._~".utf8.contains(byte)
            return isUnreserved
                ? String(Unicode.Scalar(byte)) : match.output.0.uppercased()
        }
    }
}
