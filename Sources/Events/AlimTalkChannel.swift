import Commerce
import FoundationEssentials
public import HTTPClient
import HTTPTypes

/// Sends messages as AlimTalk, through a provider's HTTP gateway.
///
/// One POST a message, many at once:
///
///     Authorization: Bearer TOKEN
///     Idempotency-Key: EVENT-ID
///     {"messageId": "EVENT-ID", "templateCode": "…", "to": "01012344112", "text": "…",
///      "variables": {"orderId": "1", "items": "…", "total": "10,000"}}
///
/// Any 2xx takes it over. 429 and 5xx and no answer come again, after `Retry-After` where the gateway
/// names one. 401 and 403 are about the token: everything waits until somebody has mended it. Any
/// other 4xx is final, and so is a phone number that is no Korean one, for which nothing is sent.
public struct AlimTalkChannel: NotificationChannel {
    /// A provider's gateway, and who we are there.
    public struct Gateway: Sendable {
        let url: String
        let token: String
        let template: String

        /// - Parameters:
        ///   - token: sent as `Authorization: Bearer`.
        ///   - template: the code of the template that the provider has approved.
        public init(url: String, token: String, template: String) {
            self.url = url
            self.token = token
            self.template = template
        }
    }

    private let gateway: Gateway
    private let client: HTTPClient

    public init(_ gateway: Gateway, client: HTTPClient = AlimTalkChannel.client()) {
        self.gateway = gateway
        self.client = client
    }

    /// A client whose calls end well within a delivery's lease. The gateway's address is the
    /// operator's choice, so it may be a private one.
    ///
    /// - Parameter totalMilliseconds: for one message.
    public static func client(totalMilliseconds: Int = 10_000) -> HTTPClient {
        var options = HTTPClient.Options()
        options.totalMilliseconds = totalMilliseconds
        options.connectMilliseconds = min(5_000, totalMilliseconds)
        options.addresses = .any
        return HTTPClient(options)
    }

    /// As many as the client sends at once.
    public var notificationsMax: Int { 64 }

    public func send(
        _ notifications: [Notification]
    ) throws(TargetUnavailable) -> [DeliveryResult] {
        let numbers = notifications.map { PhoneNumber($0.phone) }
        let sent = zip(notifications, numbers).compactMap { notification, number in
            number.map { request(notification, to: $0) }
        }
        let answers = client.send(sent).map(Answer.init)
        let causes = answers.compactMap(\.causeOfAbsence)
        if let cause = causes.first, causes.count == answers.count {
            throw TargetUnavailable(cause: "the AlimTalk gateway: \(cause)")
        }
        var results = answers.map(\.result)[...]
        return zip(notifications, numbers).map { notification, number in
            guard number != nil, let result = results.popFirst() else {
                return Self.noNumber(of: notification.user)
            }
            return result
        }
    }

    /// Repeating it mends nothing. A person does, and then replays the event.
    private static func noNumber(of user: UserID) -> DeliveryResult {
        .rejected(cause: "the phone number of user \(user) is no Korean one")
    }

    private func request(
        _ notification: Notification, to number: PhoneNumber
    ) -> HTTPClient.Request {
        let id = notification.eventID.lowercased
        return HTTPClient.Request(
            post: Message(notification, to: number, template: gateway.template).bytes,
            to: gateway.url,
            headers: [
                .contentType: "application/json", .userAgent: "commerce/1",
                .authorization: "Bearer \(gateway.token)", .idempotencyKey: id,
            ])
    }

    /// What the gateway made of a message.
    private enum Answer {
        case about(DeliveryResult)
        /// Nothing: it is not there, or does not know us.
        case absent(String)

        init(_ result: Result<HTTPClient.Response, HTTPClient.Failure>) {
            switch result {
            case .failure(let failure):
                self = Self.meaning(failure)
            case .success(let response):
                self = Self.meaning(response.status, response.retryAfterSeconds)
            }
        }

        private static func meaning(_ failure: HTTPClient.Failure) -> Answer {
            switch failure {
            case .invalidURL, .addressRefused, .nameNotFound, .unreachable, .noConnectionInTime,
                .untrusted:
                .absent("\(failure)")
            case .noAnswerInTime, .broken:
                .about(.failed(cause: "the gateway: \(failure)", retryAfterSeconds: nil))
            }
        }

        private static func meaning(_ status: Int, _ retryAfterSeconds: Int?) -> Answer {
            let cause = "the gateway answered \(status)"
            return switch status {
            case 200...299: .about(.delivered)
            case 401, 403: .absent("answered \(status): is the token right?")
            case 429: .about(.failed(cause: cause, retryAfterSeconds: retryAfterSeconds))
            case 400...499: .about(.rejected(cause: cause))
            default: .about(.failed(cause: cause, retryAfterSeconds: retryAfterSeconds))
            }
        }

        var causeOfAbsence: String? {
            if case .absent(let cause) = self { cause } else { nil }
        }

        var result: DeliveryResult {
            switch self {
            case .about(let result): result
            case .absent(let cause):
                .failed(cause: "the gateway: \(cause)", retryAfterSeconds: nil)
            }
        }
    }
}

extension HTTPField.Name {
    fileprivate static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
}

/// The body of a request.
private struct Message: Encodable {
    struct Variables: Encodable {
        let orderId: String
        let items: String
        let total: String
    }

    let messageId: String
    let templateCode: String
    let to: String
    let text: String
    let variables: Variables

    init(_ notification: Notification, to number: PhoneNumber, template: String) {
        messageId = notification.eventID.lowercased
        templateCode = template
        to = number.digits
        text = notification.text
        variables = Variables(
            orderId: "\(notification.orderID)", items: notification.itemsInBrief,
            total: notification.total.grouped)
    }

    var bytes: [UInt8] { JSONLine.bytes(of: self) }
}
