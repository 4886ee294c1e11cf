import HTTPTypes
import Metrics

/// Counts and times the requests of each route. Made once: looking a metric up takes a lock.
struct RequestMeasurements: Sendable {
    private struct Route: Sendable {
        /// By the first digit of the status: 2xx to 5xx.
        let counts: [Counter]
        let duration: Timer
    }

    /// In the order of the resources' raw values.
    private let routes: [Route]

    init() {
        routes = Resource.allCases.map { resource in
            let route = ("route", resource.pattern)
            let counts = (2...5).map { digit in
                Counter(
                    label: "commerce_http_requests_total",
                    dimensions: [route, ("status", "\(digit)xx")])
            }
            let duration = Timer(
                label: "commerce_http_request_duration_seconds", dimensions: [route])
            return Route(counts: counts, duration: duration)
        }
    }

    func record(_ resource: Resource, _ status: HTTPResponse.Status, _ duration: Duration) {
        let route = routes[resource.rawValue]
        route.counts[min(max(status.code / 100, 2), 5) - 2].increment()
        let (seconds, attoseconds) = duration.components
        route.duration.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
