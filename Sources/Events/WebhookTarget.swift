public import Commerce
import FoundationEssentials
import Glibc
public import HTTPClient
import HTTPTypes
public import Store

/// Sends events to one endpoint as webhooks, by Standard Webhooks 1.0.0.
///
/// Any 2xx takes an event over. 410 is the receiver's wish to get no more. Everything else is a
/// failure and comes again: other statuses, a redirect among them, and no answer within 15 s.
public struct WebhookTarget: Target {
    private let endpoint: WebhookEndpoint
    private let client: HTTPClient

    /// - Parameters:
    ///   - endpoint: as it is now; after a rotation it has other secrets.
    ///   - client: best one for all endpoints. Its options say which addresses are allowed.
    public init(_ endpoint: WebhookEndpoint, client: HTTPClient) {
        self.endpoint = endpoint
        self.client = client
    }

    /// Sends all of them at once.
    public func deliver(_ events: [Event]) -> [DeliveryResult] {
        let now = time(nil)
        let requests = events.map { request($0, seconds: now) }
        return client.send(requests).map(Self.meaning)
    }

    /// Sends an event that stands for nothing, of type `webhook.test`.
    ///
    /// - Parameter moment: of the event; a point in time in UTC.
    public func deliverTest(at moment: Moment) -> DeliveryResult {
        // Its aggregate is for our own books, which it is not in.
        let event = Event(
            id: UUID(), aggregate: .order, aggregateID: 0, type: .webhookTest,
            payload: Array(#"{"endpointId":\#(endpoint.id)}"#.utf8), createdAt: moment)
        return deliver([event])[0]
    }

    private func request(_ event: Event, seconds: Int) -> HTTPClient.Request {
        let id = event.id.lowercased
        let body = event.envelope
        let signature = WebhookSignature.header(
            id: id, seconds: seconds, body: body, secrets: endpoint.secrets)
        var headers: HTTPFields = [
            .contentType: "application/json", .userAgent: "commerce/1",
            .webhookID: id, .webhookTimestamp: "\(seconds)", .webhookSignature: signature,
        ]
        headers[.traceparent] = event.traceparent
        return HTTPClient.Request(post: body, to: endpoint.url, headers: headers)
    }

    private static func meaning(
        _ result: Result<HTTPClient.Response, HTTPClient.Failure>
    ) -> DeliveryResult {
        switch result {
        case .failure(let failure):
            .failed(cause: "\(failure)", retryAfterSeconds: nil)
        case .success(let response):
            switch response.status {
            case 200...299: .delivered
            case 410: .gone(cause: "answered 410 Gone")
            case 300...399:
                .failed(
                    cause: "answered \(response.status), and redirects are not followed",
                    retryAfterSeconds: response.retryAfterSeconds)
            default:
                .failed(
                    cause: "answered \(response.status)",
                    retryAfterSeconds: response.retryAfterSeconds)
            }
        }
    }
}

extension EventType {
    /// Sent by hand, to see whether an endpoint gets it.
    static let webhookTest = EventType(rawValue: "webhook.test")
}

extension HTTPField.Name {
    static let webhookID = HTTPField.Name("webhook-id")!
    static let webhookTimestamp = HTTPField.Name("webhook-timestamp")!
    static let traceparent = HTTPField.Name("traceparent")!
    static let webhookSignature = HTTPField.Name("webhook-signature")!
}
