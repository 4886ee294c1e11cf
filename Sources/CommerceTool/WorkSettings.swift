import Configuration
import Events

/// The settings of `commerce work`.
struct WorkSettings {
    let shared: Settings
    let options: Worker.Options
    /// For which events and what belongs to them are kept after they were delivered.
    let keptHours: Int
    let notifications: NotificationSettings
    let audit: AuditSettings
    /// Nil: nobody can ask the worker anything.
    let socketPath: String?

    /// In the order of `--help`.
    static let all: [Setting] =
        Setting.ofTheDatabase
        + [
            .workSocket, .databasePool, .memcached, .webhooksAllowPrivate, .deliveryAttempts,
            .deliveryPause, .deliveryLease, .eventsKept, .auditInterval, .auditBusy,
        ] + Setting.ofNotifications + [.amqpURL, .amqpAuthorities, .logLevel, .logFormat]

    /// - Throws: ``SettingError`` for the first setting that is missing or wrong.
    init(from environment: ConfigReader) throws(SettingError) {
        shared = try Settings(from: environment)
        notifications = try NotificationSettings(from: environment)
        socketPath = environment.text(.workSocket)
        var options = Worker.Options()
        options.backoff.attemptsMax = try environment.number(.deliveryAttempts)
        options.backoff.firstPauseMilliseconds = try environment.number(.deliveryPause)
        options.leaseMilliseconds = try environment.number(.deliveryLease) * 1_000
        self.options = options
        audit = try AuditSettings(from: environment)
        keptHours = audit.eventsKeptHours
    }
}
