public import FastCGI
import HTTPTypes
public import Store

/// Answers what operators and their tools ask a process: whether it lives, whether it is of use, and
/// what it has counted. Of a shop they also show its status.
public struct Probes: Sendable {
    /// What the process has counted after a time of a process, both in milliseconds since 1970, as
    /// JSON; all of it if it is another process.
    public typealias History = @Sendable (_ after: Int64, _ process: Int64?) -> String

    private let health: Health
    private let shown: ShownStatus?
    private let isDraining: @Sendable () -> Bool
    private let metrics: @Sendable () -> [UInt8]

    private static let metricsType = "text/plain; version=0.0.4; charset=utf-8"
    private static let ok = status("ok")
    private static let degraded = status("degraded")
    private static let held = status("degraded", [("deliveries", "held")])

    /// - Parameters:
    ///   - shown: what the status page shows; nil where there is none.
    ///   - isDraining: whether the process is stopping.
    ///   - metrics: in Prometheus' text format.
    public init(
        health: Health, shown: (overview: Overview, history: History)? = nil,
        isDraining: @escaping @Sendable () -> Bool, metrics: @escaping @Sendable () -> [UInt8]
    ) {
        self.health = health
        self.shown = shown.map(ShownStatus.init)
        self.isDraining = isDraining
        self.metrics = metrics
    }

    /// Answers a request of a process that answers nothing else.
    public func respond(to request: Request, from seat: Seat) -> Answer {
        let (resource, _) = route(request.path)
        guard resource.takes(request.method) else {
            return .now(Problem.methodNotAllowed(resource.allowed).response)
        }
        switch resource {
        case .live: return .now(live)
        case .metrics: return .now(page)
        case .ready: return later { then in ready(seat, then: then) }
        case .startPage: return .now((try? startPage()) ?? Problem.notFound.response)
        case .statusPage: return .now((try? statusPage()) ?? Problem.notFound.response)
        case .status: return later { then in status(request, seat, then: then) }
        case .user, .charge, .userOrders, .userPayments, .product, .products, .popular, .orders,
            .order, .cancel, .nothing:
            return .now(Problem.notFound.response)
        }
    }

    private func later(_ pending: @escaping PendingResponse) -> Answer {
        .later { reply in
            pending { result in
                switch result {
                case .success(let response): reply.send(response)
                case .failure(let error): reply.send(Failure(error).problem.response)
                }
            }
        }
    }

    /// GET /livez: the process answers. Touches nothing else.
    var live: Response { Self.ok }

    /// GET /metrics
    var page: Response { .text(metrics(), Self.metricsType) }

    /// GET /readyz: 503 while the process drains or MariaDB does not answer, or would not take an
    /// order; `degraded` while memcached does not answer, since everything works without it, and
    /// where nobody is told of orders, because the data are a copy.
    func ready(_ seat: Seat, then: @escaping @Sendable (Result<Response, any Error>) -> Void) {
        if isDraining() { return then(.failure(Problem.draining)) }
        seat.giveUp()
        health.check { condition in
            switch condition {
            case .well: then(.success(Self.ok))
            case .degraded: then(.success(Self.degraded))
            case .held: then(.success(Self.held))
            case .unfit: then(.failure(Problem.databaseUnfit))
            case .down: then(.failure(Problem.databaseUnreachable))
            }
        }
    }

    /// GET /status
    func statusPage() throws(Problem) -> Response {
        guard shown != nil else { throw .notFound }
        return ShownStatus.page
    }

    /// GET /
    func startPage() throws(Problem) -> Response {
        guard shown != nil else { throw .notFound }
        return ShownStatus.startPage
    }

    /// GET /status.json
    func status(
        _ request: Request, _ seat: Seat,
        then: @escaping @Sendable (Result<Response, any Error>) -> Void
    ) {
        guard let shown else { return then(.failure(Problem.notFound)) }
        seat.giveUp()
        shown.figures(of: request, then: then)
    }

    private static func status(_ name: String, _ more: [(String, String)] = []) -> Response {
        let members = ([("status", name)] + more).map { ($0.0, JSON.string($0.1)) }
        return .json(JSON.object(members).bytes, cacheControl: "no-store")
    }
}

extension Problem {
    fileprivate static let draining = Problem(
        .serviceUnavailable, "DRAINING", "Draining", "This process is stopping.")

    fileprivate static let databaseUnreachable = Problem(
        .serviceUnavailable, "DATABASE_UNREACHABLE", "Database unreachable",
        "MariaDB does not answer.")

    fileprivate static let databaseUnfit = Problem(
        .serviceUnavailable, "DATABASE_UNFIT", "Database unfit",
        "MariaDB answers, and lets this process not read and write what it has to.")
}
