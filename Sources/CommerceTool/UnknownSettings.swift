import Glibc
import Logging

/// Variables of the environment that look like settings and are none: a misspelt one would otherwise
/// be ignored in silence.
struct UnknownSettings {
    /// Read by the scripts, which may share their environment with the program.
    static let ofScripts: Set<String> = [
        "COMMERCE_RUN_DIR", "COMMERCE_HTTP_PORT", "COMMERCE_BUFFER_POOL", "COMMERCE_BINARY",
        "COMMERCE_LISTEN", "COMMERCE_SERVER_NAME", "COMMERCE_TLS_CERTIFICATE",
        "COMMERCE_TLS_KEY", "COMMERCE_AMQP_PORT",
        "COMMERCE_DATABASE_USER_HOST", "COMMERCE_EXPORTER_USER", "COMMERCE_EXPORTER_PASSWORD",
        "COMMERCE_FUZZ", "COMMERCE_BENCH_WITHOUT_METRICS",
    ]
    /// What the tests' own begin with.
    private static let testPrefix = "COMMERCE_TEST_"
    private static let prefix = "COMMERCE_"
    /// Letters that may be wrong in a name that is nevertheless meant.
    private static let mistakesMax = 2
    /// Of a name beyond the prefix's: an environment may be a megabyte.
    private static let nameBytesMax = 64

    /// A sentence each.
    let warnings: [String]

    init(among names: [String]) {
        let known = Setting.allCases.map(\.rawValue) + Self.ofScripts
        warnings = names.sorted().compactMap { name in
            guard !known.contains(name), !name.hasPrefix(Self.testPrefix) else { return nil }
            let nearest = Self.nearest(to: name, among: known)
            guard name.hasPrefix(Self.prefix) || nearest != nil else { return nil }
            let guess = nearest.map { "; did you mean \($0)?" } ?? ""
            return "\(name.prefix(Self.nameBytesMax)) is not a setting, and is ignored\(guess)"
        }
    }

    /// Of the process.
    init() {
        var names: [String] = []
        var next = environ
        while let variable = next.pointee {
            names.append(String(String(cString: variable).prefix { $0 != "=" }))
            next += 1
        }
        self.init(among: names)
    }

    func warn(_ logger: Logger) {
        for warning in warnings { logger.warning("\(warning)") }
    }

    private static func nearest(to name: String, among known: [String]) -> String? {
        let name = Array(name.uppercased().utf8.prefix(nameBytesMax))
        let distances = known.map { (distance(name, Array($0.utf8)), $0) }
        return distances.min { $0 < $1 }.flatMap { $0.0 <= mistakesMax ? $0.1 : nil }
    }

    /// Letters to add, take away, replace, or swap with their neighbor (optimal string alignment).
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var before: [Int] = []
        var last = Array(0...right.count)
        for i in left.indices {
            var row = [i + 1]
            for j in right.indices {
                var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (left[i] == right[j] ? 0 : 1))
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    best = min(best, before[j - 1] + 1)
                }
                row.append(best)
            }
            (before, last) = (last, row)
        }
        return last[right.count]
    }
}
