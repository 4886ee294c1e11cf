import HTTPTypes
import Metrics
import Synchronization

/// Counts and times the requests of each route, by their method and by what became of them.
struct RequestMeasurements: Sendable {
    /// What there is no more of than a program asks for: each is a series.
    private static let methods: [HTTPRequest.Method] = [
        .get, .head, .post, .put, .patch, .delete, .options,
    ]
    private static let otherMethod = "other"
    /// By the first digit of the status: 2xx to 5xx.
    private static let classes = 2...5

    /// The series of one route, method and class of status.
    private final class Kind: Sendable {
        let requests: Counter
        let durations: Timer

        init(_ dimensions: [(String, String)]) {
            requests = Counter(label: RequestMeasurements.requestsLabel, dimensions: dimensions)
            durations = Timer(label: RequestMeasurements.durationsLabel, dimensions: dimensions)
        }
    }

    /// Made when it is needed, since most of them never are. Looking a metric up takes a lock; this
    /// takes none.
    private final class Place: Sendable {
        let kind = AtomicLazyReference<Kind>()
    }

    private static let requestsLabel = "commerce_http_requests_total"
    private static let durationsLabel = "commerce_http_request_duration_seconds"

    private let places: [Place]

    init() {
        let count = Resource.allCases.count * (Self.methods.count + 1) * Self.classes.count
        places = (0..<count).map { _ in Place() }
        // What is counted must be seen at 0 first, or nobody sees it grow to 1.
        for resource in Resource.allCases {
            for digit in Self.classes {
                _ = Counter(
                    label: Self.requestsLabel,
                    dimensions: Self.dimensions(resource, resource.method.rawValue, digit))
            }
        }
    }

    func record(
        _ resource: Resource, _ method: HTTPRequest.Method, _ status: HTTPResponse.Status,
        _ duration: Duration
    ) {
        let digit = min(max(status.code / 100, Self.classes.lowerBound), Self.classes.upperBound)
        let column = Self.methods.firstIndex(of: method) ?? Self.methods.count
        let row = resource.rawValue * (Self.methods.count + 1) + column
        let place = places[row * Self.classes.count + digit - Self.classes.lowerBound]
        let name = column < Self.methods.count ? method.rawValue : Self.otherMethod
        let kind =
            place.kind.load()
            ?? place.kind.storeIfNil(Kind(Self.dimensions(resource, name, digit)))
        kind.requests.increment()
        kind.durations.recordNanoseconds(duration.wholeNanoseconds)
    }

    private static func dimensions(
        _ resource: Resource, _ method: String, _ digit: Int
    ) -> [(String, String)] {
        [("route", resource.pattern), ("method", method), ("status", "\(digit)xx")]
    }
}

extension Duration {
    fileprivate var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
