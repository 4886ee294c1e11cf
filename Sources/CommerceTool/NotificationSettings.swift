import AMQP
import Configuration
import Events
import HTTPClient
import Logging
import MariaDB
import Store

/// How buyers are told of their orders.
struct NotificationSettings {
    enum Channel {
        case file(path: String)
        case alimTalk(AlimTalkChannel.Gateway)
    }

    /// nil where only a queue is needed.
    let channel: Channel?
    /// nil: events go to the notification without a queue.
    let broker: Broker?

    /// - Throws: ``SettingError`` for the first setting that is missing or wrong.
    init(from environment: ConfigReader) throws(SettingError) {
        let plaintext = try Plaintext(from: environment)
        broker = try Self.broker(environment)
        try broker.map(plaintext.check)
        channel = try Self.channel(environment)
        if let url = environment.text(.alimTalkURL) { try plaintext.check(gateway: url) }
        if broker == nil && channel == nil { throw Self.noChannel }
    }

    /// What a worker hands the notification's events to.
    func target(_ pool: Pool, _ logger: Logger) throws(SettingError) -> any Target {
        if let broker { return QueueTarget(broker) }
        return try service(pool, logger)
    }

    /// What sends the notifications.
    func service(_ pool: Pool, _ logger: Logger) throws(SettingError) -> NotificationService {
        let channel: any NotificationChannel =
            switch self.channel {
            case .file(let path): FileChannel(path: path)
            case .alimTalk(let gateway): AlimTalkChannel(gateway)
            case nil: throw Self.noChannel
            }
        return NotificationService(Notifications(pool: pool), over: channel, logger: logger)
    }

    private static let noChannel = SettingError(
        .notificationFile, "is missing, and so is \(Setting.alimTalkURL.rawValue)")

    private static func channel(
        _ environment: ConfigReader
    ) throws(SettingError) -> Channel? {
        guard let url = environment.text(.alimTalkURL) else {
            return environment.text(.notificationFile).map { .file(path: $0) }
        }
        do throws(HTTPClient.URLProblem) {
            try HTTPClient.check(url)
        } catch {
            throw SettingError(.alimTalkURL, "\(error)")
        }
        return .alimTalk(
            AlimTalkChannel.Gateway(
                url: url, token: try environment.required(.alimTalkToken),
                template: try environment.required(.alimTalkTemplate)))
    }

    private static func broker(_ environment: ConfigReader) throws(SettingError) -> Broker? {
        guard let url = environment.text(.amqpURL) else { return nil }
        do throws(Broker.InvalidURL) {
            var broker = try Broker(url: url)
            if let file = environment.text(.amqpAuthorities) {
                broker.certificateAuthorities = file
            }
            return broker
        } catch {
            throw SettingError(.amqpURL, "\(error)")
        }
    }
}
