import Commerce
import FastCGI
import HTTPTypes
public import Logging

/// Writes requests to the log. nginx's log has every request; this one says why.
///
/// It holds nothing of a person and nothing secret: numbers and names of ours, no address as it was
/// asked for, no body and no key.
public struct RequestLog: Sendable {
    /// Which requests get a line.
    public enum Scope: String, Sendable, CaseIterable {
        /// Those that failed by our doing: 5xx with its cause. Those for which the ledger's queue had
        /// no room are many at a time, and counted instead.
        case failed
        /// All that were refused or failed too: 4xx and 5xx.
        case refused
        case all
    }

    private let logger: Logger
    private let scope: Scope

    public init(_ logger: Logger, of scope: Scope) {
        self.logger = logger
        self.scope = scope
    }

    func write(
        _ visit: Visit, _ status: HTTPResponse.Status, _ duration: Duration, _ failure: Failure?
    ) {
        let (message, level) = Self.kind(status)
        guard isInScope(status, failure), level >= logger.logLevel else { return }
        var fields: Logger.Metadata = [
            "route": "\(visit.resource.pattern)", "method": "\(visit.request.method.rawValue)",
            "status": .stringConvertible(status.code),
            "milliseconds": .stringConvertible(duration.milliseconds),
        ]
        fields["request_id"] = visit.request.firstField(.requestID).map { "\($0)" }
        fields["trace_id"] = visit.request.traceID.map { "\($0)" }
        fields["user_id"] = visit.user.map { .stringConvertible($0.number) }
        fields["code"] = failure.map { "\($0.problem.code)" }
        fields["cause"] = failure?.cause.map { "\($0)" }
        logger.log(level: level, message, metadata: fields)
    }

    private func isInScope(_ status: HTTPResponse.Status, _ failure: Failure?) -> Bool {
        switch scope {
        case .failed: failure?.isWorthALine == true
        case .refused: status.code >= 400
        case .all: true
        }
    }

    private static func kind(
        _ status: HTTPResponse.Status
    ) -> (message: Logger.Message, Logger.Level) {
        switch status.code {
        case ..<400: ("request answered", .info)
        case ..<500: ("request refused", .info)
        case 500: ("request failed", .error)
        default: ("request failed", .warning)
        }
    }
}

/// One request, for the log and the metrics.
struct Visit: Sendable {
    let request: Request
    let resource: Resource
    let start: ContinuousClock.Instant
    /// Whose points or orders it is about, once that is known.
    var user: UserID?
}

extension Duration {
    /// To the microsecond.
    fileprivate var milliseconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds * 1_000_000 + attoseconds / 1_000_000_000_000) / 1_000
    }
}
