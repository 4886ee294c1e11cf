import Crypto
import FoundationEssentials

/// A page for operators, such as that at `/status`.
///
/// In `Page` it is a document beside its style sheets and its scripts, which a browser opens as it
/// is. They are in this program, and what is served is one document with all of them in it.
public struct OperatorPage: Sendable {
    /// The whole document, in UTF-8.
    public let html: [UInt8]
    /// For `Content-Security-Policy`: the page runs and wears what is in it, each by its hash, asks
    /// nobody but the shop, and is shown in no other page.
    public let securityPolicy: String

    /// The page at `/`: what this is, and what to try first.
    public static let start = OperatorPage(
        PackageResources.start_html,
        styles: [
            ("page.css", PackageResources.page_css), ("start.css", PackageResources.start_css),
        ],
        scripts: [("start.js", PackageResources.start_js)])

    /// The page at `/status`: how the shop is doing.
    public static let status = OperatorPage(
        PackageResources.status_html,
        styles: [
            ("page.css", PackageResources.page_css), ("status.css", PackageResources.status_css),
        ],
        scripts: [
            ("metrics.js", PackageResources.metrics_js), ("chart.js", PackageResources.chart_js),
            ("judgement.js", PackageResources.judgement_js),
            ("status.js", PackageResources.status_js),
        ])

    private init(
        _ document: [UInt8], styles: [(name: String, [UInt8])], scripts: [(name: String, [UInt8])]
    ) {
        var page = Self.text(document)
        for (name, style) in styles {
            page.replace(
                #"<link rel="stylesheet" href="\#(name)">"#,
                with: "<style>\(Self.text(style))</style>")
        }
        for (name, script) in scripts {
            page.replace(
                #"<script src="\#(name)"></script>"#,
                with: "<script>\(Self.text(script))</script>")
        }
        html = Array(page.utf8)
        securityPolicy = [
            "default-src 'none'",
            "connect-src 'self'",
            "img-src data:",  // Its icon, which is none.
            "style-src " + styles.map { Self.hash($0.1) }.joined(separator: " "),
            "script-src " + scripts.map { Self.hash($0.1) }.joined(separator: " "),
            "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        ].joined(separator: "; ")
    }

    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }

    /// As CSP names what is allowed inline.
    private static func hash(_ bytes: [UInt8]) -> String {
        "'sha256-\(Data(SHA256.digest(of: bytes)).base64EncodedString())'"
    }
}
