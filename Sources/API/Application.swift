public import FastCGI
import HTTPTypes
public import Logging
import MariaDB
public import Store

/// Answers requests: finds the route, runs it, and turns what it throws into a problem.
public struct Application: Sendable {
    /// What the application asks of the process around it.
    public struct Surroundings: Sendable {
        /// Whether the process is stopping.
        public let isDraining: @Sendable () -> Bool
        /// The metrics, in Prometheus' text format.
        public let metrics: @Sendable () -> [UInt8]

        public init(
            isDraining: @escaping @Sendable () -> Bool, metrics: @escaping @Sendable () -> [UInt8]
        ) {
            self.isDraining = isDraining
            self.metrics = metrics
        }
    }

    private let shop: Shop
    private let surroundings: Surroundings
    private let measurements = RequestMeasurements()
    private let logger: Logger

    private static let metricsType = "text/plain; version=0.0.4; charset=utf-8"

    public init(_ shop: Shop, in surroundings: Surroundings, logger: Logger) {
        self.shop = shop
        self.surroundings = surroundings
        self.logger = logger
    }

    /// Answers a request; every failure is an answer too. A command is answered when it has been
    /// committed, and no thread waits for that; products and balances that are asked for at the same
    /// time are read together.
    public func respond(to request: Request, from seat: Seat) -> Answer {
        let (resource, number) = route(request.path)
        let visit = Visit(request: request, resource: resource, start: .now)
        do {
            guard resource.takes(request.method) else {
                throw resource == .nothing
                    ? Problem.notFound : Problem.methodNotAllowed(resource.allowed)
            }
            switch resource {
            case .charge: return try carryOut(try charge(request, number), visit, seat)
            case .orders: return try carryOut(try order(request), visit, seat)
            case .cancel: return try carryOut(try cancel(request, number, shop), visit, seat)
            case .user: return later(visit, try balance(number, shop))
            case .product: return later(visit, try product(request, number, shop))
            case .userOrders: return now(visit, try orders(request, of: number, shop))
            case .userPayments: return now(visit, try payments(request, of: number, shop))
            case .products: return now(visit, try products(request, shop))
            case .popular: return now(visit, try popular(shop))
            case .order: return now(visit, try placedOrder(number, shop))
            case .live: return now(visit, live())
            case .ready:
                return now(visit, try ready(shop, isDraining: surroundings.isDraining()))
            case .metrics:
                return now(visit, .text(surroundings.metrics(), Self.metricsType))
            case .nothing: throw Problem.notFound
            }
        } catch {
            return now(visit, response(to: error, visit))
        }
    }

    private func carryOut(
        _ request: CommandRequest, _ visit: Visit, _ seat: Seat
    ) throws -> Answer {
        if let response = try shop.earlierAnswer(to: request) {
            return now(visit, response)
        }
        return later(visit) { then in
            shop.ledger.submit(request.command, beforeBlocking: seat.giveUp) { result in
                then(Result { try shop.conclude(request, result) })
            }
        }
    }

    private func now(_ visit: Visit, _ response: Response) -> Answer {
        .now(finish(visit, response))
    }

    private func later(_ visit: Visit, _ pending: @escaping PendingResponse) -> Answer {
        .later { reply in
            pending { result in
                switch result {
                case .success(let response): reply.send(finish(visit, response))
                case .failure(let error): reply.send(finish(visit, response(to: error, visit)))
                }
            }
        }
    }

    /// One request, for the log and the metrics.
    private struct Visit: Sendable {
        let request: Request
        let resource: Resource
        let start: ContinuousClock.Instant
    }

    private func finish(_ visit: Visit, _ response: Response) -> Response {
        measurements.record(visit.resource, response.status, visit.start.duration(to: .now))
        guard let id = visit.request.firstField(.requestID) else { return response }
        var response = response
        response.headerFields.append(HTTPField(name: .requestID, value: id))
        return response
    }

    private func response(to error: any Error, _ visit: Visit) -> Response {
        let problem = error as? Problem ?? problem(for: error, visit)
        return problem.response
    }

    /// The cause goes to the log, a general sentence to the client.
    private func problem(
        for error: any Error, _ visit: Visit
    ) -> Problem {
        if case Ledger.Failure.overloaded = error { return .busy }  // Often; counted, not logged.
        logger.error(
            "request failed",
            metadata: [
                "route": "\(visit.resource.pattern)", "cause": "\(error)",
                "request_id": "\(visit.request.firstField(.requestID) ?? "")",
            ])
        switch error {
        case Ledger.Failure.notDone: return .busy
        case Ledger.Failure.unknown: return .outcomeUnknown
        case let error as DatabaseError:
            return switch error.kind {
            case .lostRace, .connectionLost, .unavailable, .busy: .busy
            case .duplicateKey, .refused, .other: .internalError
            }
        default: return .internalError
        }
    }
}

/// A response that is told once, on whatever thread, when what it needs has been read or written.
typealias PendingResponse =
    @Sendable (
        @escaping @Sendable (Result<Response, any Error>) -> Void
    ) -> Void

extension HTTPField.Name {
    static let requestID = Self("X-Request-Id")!
}

extension Response {
    static func json(_ body: [UInt8], cacheControl: String) -> Response {
        Response(
            status: .ok,
            headerFields: [.contentType: "application/json", .cacheControl: cacheControl],
            body: body)
    }

    static func text(_ body: [UInt8], _ type: String) -> Response {
        Response(
            status: .ok, headerFields: [.contentType: type, .cacheControl: "no-store"], body: body)
    }
}
