import ArgumentParser
import Configuration
import FoundationEssentials
import Logging
import MariaDB
import Metrics
import Store

/// Goes through the books once.
struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Hold points, stock, orders, payments and events against each other.",
        discussion: """
            Works on a shop that goes on selling, and locks nothing. Ends with status 1 when \
            something is wrong, and names it: at most \(Audit.namedMax) rows a rule.


            """ + Setting.help(AuditSettings.all))

    @Flag(help: "Print one JSON document.")
    var json = false

    func run() throws {
        try Startup.orOneLine {
            let settings = try AuditSettings(from: Startup.environment)
            let database = try Startup.commandDatabase()
            let begin = ContinuousClock.now
            guard let report = try settings.audit(of: database).run() else {
                throw Occupied("another audit of this database is under way")
            }
            let seconds = begin.duration(to: .now) / .seconds(1)
            if json {
                try Output.write(json: report.json(seconds))
            } else {
                try Output.write(report.lines(seconds))
            }
            if report.count > 0 { throw ExitCode.failure }
        }
    }
}

/// How audits are done, by `commerce audit` and by `commerce work`.
struct AuditSettings {
    /// Nil for never.
    let intervalSeconds: Int?
    let eventsKeptHours: Int
    let busyPercent: Int

    /// In the order of `--help`, for `commerce audit`.
    static let all: [Setting] = Setting.ofTheDatabase + [.eventsKept, .auditBusy]

    /// - Throws: ``SettingError`` for the first setting that is missing or wrong.
    init(from environment: ConfigReader) throws(SettingError) {
        let seconds = try environment.number(.auditInterval)
        intervalSeconds = seconds == 0 ? nil : seconds
        eventsKeptHours = try environment.number(.eventsKept)
        busyPercent = try environment.number(.auditBusy)
    }

    func audit(of database: Server) -> Audit {
        Audit(
            pool: Audit.pool(for: database), eventsKeptHours: eventsKeptHours,
            busyPercent: busyPercent)
    }
}

// MARK: - As part of `commerce work`

extension Upkeep {
    /// A shop that has just been started, perhaps after something went wrong, is looked at soon.
    private static let firstAuditSeconds = 30

    /// Audits again and again; nil where that is off. What it finds is logged and exported. Of
    /// several workers one audits at a time, and the others wait for their next turn.
    ///
    /// - Parameter isStopped: whether an audit under way is to end.
    static func audits(
        _ settings: AuditSettings, of database: Server, logger: Logger,
        isStopped: @escaping @Sendable () -> Bool
    ) -> Upkeep? {
        guard let seconds = settings.intervalSeconds else { return nil }
        let audit = settings.audit(of: database)
        return Upkeep(
            "the audit", everySeconds: seconds,
            firstAfterSeconds: min(seconds, Self.firstAuditSeconds), logger: logger
        ) {
            let begin = ContinuousClock.now
            guard let report = try audit.run(isStopped: isStopped), report.isWhole else { return }
            report.export(after: begin.duration(to: .now))
            for violation in report.named {
                logger.error(
                    "the books are wrong",
                    metadata: ["rule": "\(violation.rule.rawValue)", "row": "\(violation)"])
            }
        }
    }
}

extension Audit.Report {
    fileprivate func export(after duration: Duration) {
        for (rule, count) in counts {
            Gauge(label: "commerce_audit_violations", dimensions: [("rule", rule.rawValue)])
                .record(count)
        }
        Gauge(label: "commerce_audit_duration_seconds").record(duration / .seconds(1))
        Gauge(label: "commerce_audit_last_success_timestamp_seconds")
            .record(Date.now.timeIntervalSince1970)
    }
}

// MARK: - How a report is printed

extension Audit.Violation: CustomStringConvertible {
    public var description: String { "\(noun) \(number) \(finding)" }
}

extension Audit.Report {
    /// A line a named row, and one of the sum.
    fileprivate func lines(_ seconds: Double) -> [String] {
        let lines = named.map { "\($0.rule.rawValue): \($0)" }
        let sums = Audit.Rule.allCases.compactMap { rule in
            counts[rule].flatMap { $0 > 0 ? "\(rule.rawValue) \($0)" : nil }
        }
        let verdict = sums.isEmpty ? "nothing is wrong" : sums.joined(separator: ", ")
        return lines + ["audit: \(verdict) (\(slices) slices in \(Int(seconds.rounded())) s)"]
    }

    /// `{"violations": {rule: count}, "named": [{"rule", "noun", "number", "finding"}], …}`.
    fileprivate func json(_ seconds: Double) -> String {
        let document = Document(
            violations: Dictionary(
                uniqueKeysWithValues: counts.map { ($0.key.rawValue, $0.value) }),
            named: named.map {
                Document.Row(
                    rule: $0.rule.rawValue, noun: $0.noun, number: $0.number, finding: $0.finding)
            },
            slices: slices, sliceMillisecondsMax: longestSlice / .milliseconds(1), seconds: seconds)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(document), as: UTF8.self)
        } catch {
            preconditionFailure("Strings and numbers are JSON: \(error)")
        }
    }
}

private struct Document: Encodable {
    struct Row: Encodable {
        let rule: String
        let noun: String
        let number: Int64
        let finding: String
    }

    let violations: [String: Int]
    let named: [Row]
    let slices: Int
    let sliceMillisecondsMax: Double
    let seconds: Double
}
