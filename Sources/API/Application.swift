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

    public init(_ shop: Shop, in surroundings: Surroundings, logger: Logger) {
        self.shop = shop
        self.surroundings = surroundings
        self.logger = logger
    }

    /// Answers a request; every failure is an answer too.
    public func respond(to request: Request, from seat: Seat) -> Response {
        let start = ContinuousClock.now
        let (resource, number) = route(request.path)
        var response: Response
        do {
            response = try respond(to: request, for: resource, number, seat)
        } catch let problem as Problem {
            response = problem.response
        } catch {
            response = problem(for: error, request, resource).response
        }
        if let id = request.firstField(.requestID) {
            response.headerFields.append(HTTPField(name: .requestID, value: id))
        }
        measurements.record(resource, response.status, start.duration(to: .now))
        return response
    }

    private func respond(
        to request: Request, for resource: Resource, _ number: PathNumber, _ seat: Seat
    ) throws -> Response {
        if resource == .nothing { throw Problem.notFound }
        guard resource.takes(request.method) else {
            throw Problem.methodNotAllowed(resource.allowed)
        }
        if resource.waits { seat.giveUp() }
        return switch resource {
        case .user: try balance(number, shop)
        case .charge: try charge(request, number, shop)
        case .product: try product(request, number, shop)
        case .popular: try popular(shop)
        case .orders: try order(request, shop)
        case .live: live()
        case .ready: try ready(shop, isDraining: surroundings.isDraining())
        case .metrics: .text(surroundings.metrics(), "text/plain; version=0.0.4; charset=utf-8")
        case .nothing: throw Problem.notFound
        }
    }

    /// The cause goes to the log, a general sentence to the client.
    private func problem(
        for error: any Error, _ request: Request, _ resource: Resource
    ) -> Problem {
        if case Ledger.Failure.overloaded = error { return .busy }  // Often; counted, not logged.
        logger.error(
            "request failed",
            metadata: [
                "route": "\(resource.pattern)", "cause": "\(error)",
                "request_id": "\(request.firstField(.requestID) ?? "")",
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
