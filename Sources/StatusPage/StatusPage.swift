import Crypto
import FoundationEssentials

/// The page at `/status`.
///
/// In `Page` it is a document beside its style sheet and its scripts, which a browser opens as it is.
/// They are in this program, and what is served is one document with all of them in it.
public struct StatusPage: Sendable {
    /// The whole document, in UTF-8.
    public let html: [UInt8]
    /// For `Content-Security-Policy`: the page runs and wears what is in it, each by its hash, asks
    /// nobody but the shop, and is shown in no other page.
    public let securityPolicy: String

    /// - Complexity: in the length of the page. Make it once.
    public init() {
        let style = Self.text(PackageResources.status_css)
        var page = Self.text(PackageResources.status_html)
        page.replace(#"<link rel="stylesheet" href="status.css">"#, with: "<style>\(style)</style>")
        let scripts = [
            ("metrics.js", Self.text(PackageResources.metrics_js)),
            ("chart.js", Self.text(PackageResources.chart_js)),
            ("status.js", Self.text(PackageResources.status_js)),
        ]
        for (name, script) in scripts {
            page.replace(#"<script src="\#(name)"></script>"#, with: "<script>\(script)</script>")
        }
        html = Array(page.utf8)
        securityPolicy = [
            "default-src 'none'",
            "connect-src 'self'",
            "img-src data:",  // Its icon, which is none.
            "style-src \(Self.hash(style))",
            "script-src " + scripts.map { Self.hash($0.1) }.joined(separator: " "),
            "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        ].joined(separator: "; ")
    }

    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }

    /// As CSP names what is allowed inline.
    private static func hash(_ text: String) -> String {
        "'sha256-\(Data(SHA256.hash(data: Data(text.utf8))).base64EncodedString())'"
    }
}
