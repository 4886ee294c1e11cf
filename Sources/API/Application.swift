import Commerce
public import FastCGI
import HTTPTypes
public import Store

/// Answers requests: finds the route, runs it, and turns what it throws into a problem.
public struct Application: Sendable {
    private let shop: Shop
    private let probes: Probes
    private let log: RequestLog
    private var scope = Scope.everything
    private let requests = RequestMeasurements()
    private let commands = CommandMeasurements()

    public init(_ shop: Shop, probes: Probes, log: RequestLog) {
        self.shop = shop
        self.probes = probes
        self.log = log
    }

    /// What is answered at one socket. The rest is nowhere there.
    public enum Scope: Sendable {
        case shop, probes, everything

        fileprivate func has(_ resource: Resource) -> Bool {
            switch self {
            case .shop: !resource.isProbe
            case .probes: resource.isProbe
            case .everything: true
            }
        }
    }

    /// The same application, for a socket that answers less.
    public func only(_ scope: Scope) -> Application {
        var application = self
        application.scope = scope
        return application
    }

    /// Answers a request; every failure is an answer too. A command is answered when it has been
    /// committed, and no thread waits for that; products and balances that are asked for at the same
    /// time are read together.
    public func respond(to request: Request, from seat: Seat) -> Answer {
        let (found, number) = route(request.path)
        let resource = scope.has(found) ? found : .nothing
        let visit = Visit(
            request: request, resource: resource, start: .now,
            user: resource.isOfUser ? number.positive.map(UserID.init) : nil)
        do {
            guard resource.takes(request.method) else {
                throw resource == .nothing
                    ? Problem.notFound : Problem.methodNotAllowed(resource.allowed)
            }
            if resource.method == .post { try request.expectJSON() }
            try request.expectNoTag()
            switch resource {
            case .charge: return carryOut(try charge(request, number), visit, seat)
            case .orders: return carryOut(try order(request), visit, seat)
            case .cancel: return carryOut(try cancel(request, number, shop), visit, seat)
            case .user: return later(visit, try balance(number, shop))
            case .product: return later(visit, try product(number, shop))
            case .userOrders: return now(visit, try orders(request, of: number, shop))
            case .userPayments: return now(visit, try payments(request, of: number, shop))
            case .products: return now(visit, try products(request, shop))
            case .popular: return now(visit, try popular(shop))
            case .order: return now(visit, try placedOrder(number, shop))
            case .live: return now(visit, probes.live)
            case .ready: return later(visit) { then in probes.ready(seat, then: then) }
            case .metrics: return now(visit, probes.page)
            case .startPage: return now(visit, try probes.startPage())
            case .statusPage: return now(visit, try probes.statusPage())
            case .status: return later(visit) { then in probes.status(request, seat, then: then) }
            case .nothing: throw Problem.notFound
            }
        } catch {
            return .now(finish(visit, .failure(error)))
        }
    }

    private func carryOut(_ request: CommandRequest, _ visit: Visit, _ seat: Seat) -> Answer {
        var visit = visit
        visit.user = request.command.user
        do throws(Problem) {
            if let response = try shop.earlierAnswer(to: request, counting: commands) {
                return now(visit, response)
            }
        } catch {
            return .now(finish(visit, .failure(error)))
        }
        return later(visit) { then in
            shop.ledger.submit(request.command, beforeBlocking: seat.giveUp) { result in
                then(Result { try shop.conclude(request, result, counting: commands) })
            }
        }
    }

    private func now(_ visit: Visit, _ response: Response) -> Answer {
        .now(finish(visit, .success(response)))
    }

    private func later(_ visit: Visit, _ pending: @escaping PendingResponse) -> Answer {
        .later { reply in
            pending { result in reply.send(finish(visit, result)) }
        }
    }

    private func finish(_ visit: Visit, _ result: Result<Response, any Error>) -> Response {
        var response: Response
        var failure: Failure?
        switch result {
        case .success(let made): response = visit.request.conditionally(made)
        case .failure(let error):
            let found = Failure(error)
            response = found.problem.response
            failure = found
        }
        let duration = visit.start.duration(to: .now)
        requests.record(visit.resource, visit.request.method, response.status, duration)
        log.write(visit, response.status, duration, failure)
        if let id = visit.request.firstField(.requestID) {
            response.headerFields.append(HTTPField(name: .requestID, value: id))
        }
        return response
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
