import FoundationEssentials
import Testing

/// What `/metrics` says: each series with its value.
struct MetricsPage {
    let text: String
    /// By the series as it is written, such as `name{label="value"}`.
    let values: [String: Double]

    init(_ answer: Answer) throws {
        guard answer.status == 200 else { throw Failure("no metrics: \(answer.text)") }
        text = answer.text
        values = Dictionary(
            text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
                // No label's value has a blank.
                let parts = line.split(separator: " ")
                return (String(parts[0]), parts.count == 2 ? Double(parts[1]) ?? .nan : .nan)
            }
        ) { first, _ in
            Issue.record("a series is there twice")
            return first
        }
    }

    /// A series' value; 0 where there is none, as a counter that has counted nothing.
    subscript(series: String) -> Double { values[series] ?? 0 }

    /// The names that a `TYPE` line announces, as often as one does.
    var families: [String] { announced("TYPE") }
    var explained: [String] { announced("HELP") }

    private func announced(_ what: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ", maxSplits: 3)
            return words.count > 2 && words[0] == "#" && words[1] == what ? String(words[2]) : nil
        }
    }

    /// What Prometheus' own parser and linter say of the page; nothing when all is well.
    func complaints(in folder: String) throws -> String {
        try Self.complaints(about: text, in: folder)
    }

    static func complaints(about text: String, in folder: String) throws -> String {
        let file = folder + "/" + TestRun.freshName("metrics")
        try Data(text.utf8).write(to: URL(filePath: file))
        let run = try Finished(
            ["sh", "-c", "promtool check metrics <\"$0\"", file], in: folder)
        return run.status == 0 ? "" : "\(run.status): \(run.output)\(run.errors)"
    }
}

extension Shop {
    func metrics() throws -> MetricsPage { try MetricsPage(get("/metrics")) }
}
