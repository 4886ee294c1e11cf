import Configuration
import LogLines
import Logging
import MariaDB
import Memcached

/// A setting of the commands, read from the environment variable of its raw value.
enum Setting: String, CaseIterable {
    case socket = "COMMERCE_SOCKET"
    case probeSocket = "COMMERCE_PROBE_SOCKET"
    case workSocket = "COMMERCE_WORK_SOCKET"
    case notifySocket = "COMMERCE_NOTIFY_SOCKET"
    case workers = "COMMERCE_WORKERS"
    case databaseSocket = "COMMERCE_DATABASE_SOCKET"
    case databaseHost = "COMMERCE_DATABASE_HOST"
    case databasePort = "COMMERCE_DATABASE_PORT"
    case databaseAuthority = "COMMERCE_DATABASE_CA"
    case databaseName = "COMMERCE_DATABASE_NAME"
    case databaseUser = "COMMERCE_DATABASE_USER"
    case databasePassword = "COMMERCE_DATABASE_PASSWORD"
    case databasePool = "COMMERCE_DATABASE_POOL"
    case ledger = "COMMERCE_LEDGER"
    case ledgerLanes = "COMMERCE_LEDGER_LANES"
    case ledgerQueue = "COMMERCE_LEDGER_QUEUE"
    case memcached = "COMMERCE_MEMCACHED"
    case webhooksAllowPrivate = "COMMERCE_WEBHOOKS_ALLOW_PRIVATE"
    case notificationFile = "COMMERCE_NOTIFICATION_FILE"
    case alimTalkURL = "COMMERCE_ALIMTALK_URL"
    case alimTalkToken = "COMMERCE_ALIMTALK_TOKEN"
    case alimTalkTemplate = "COMMERCE_ALIMTALK_TEMPLATE"
    case amqpURL = "COMMERCE_AMQP_URL"
    case amqpAuthorities = "COMMERCE_AMQP_CA"
    case deliveryAttempts = "COMMERCE_DELIVERY_ATTEMPTS"
    case deliveryPause = "COMMERCE_DELIVERY_PAUSE_MS"
    case deliveryLease = "COMMERCE_DELIVERY_LEASE_SECONDS"
    case eventsKept = "COMMERCE_EVENTS_KEPT_HOURS"
    case auditInterval = "COMMERCE_AUDIT_INTERVAL"
    case auditBusy = "COMMERCE_AUDIT_BUSY_PERCENT"
    case allowPlaintext = "COMMERCE_ALLOW_PLAINTEXT"
    case logLevel = "COMMERCE_LOG_LEVEL"
    case logFormat = "COMMERCE_LOG_FORMAT"
    case logRequests = "COMMERCE_LOG_REQUESTS"

    /// For `--help`.
    var explanation: String {
        switch self {
        case .socket: "path of the FastCGI socket, unless descriptor 0 is one"
        case .probeSocket: "path of the socket for probes (COMMERCE_SOCKET.probes)"
        case .workSocket: "path of the worker's FastCGI socket for probes, if any"
        case .notifySocket: "path of the notifier's FastCGI socket for probes, if any"
        case .workers: "threads that answer"
        case .databaseSocket: "path of MariaDB's socket"
        case .databaseHost: "MariaDB's host, when there is no socket"
        case .databasePort: "MariaDB's port"
        case .databaseAuthority: "file of its certificate's authority: use TLS"
        case .databaseName: "the database"
        case .databaseUser: "the user that sql/service-user.sh made"
        case .databasePassword: "that user's password"
        case .databasePool: "connections for reads"
        case .ledger: "group; to compare: version, for-update"
        case .ledgerLanes: "lanes that commit commands"
        case .ledgerQueue: "commands waiting in a lane at most"
        case .memcached: "memcached's socket path or host:port, if any"
        case .webhooksAllowPrivate: "1: webhooks may go to private addresses"
        case .notificationFile: "file that gets notifications as JSON lines"
        case .alimTalkURL: "AlimTalk gateway, instead of the file"
        case .alimTalkToken: "bearer token of the gateway"
        case .alimTalkTemplate: "code of the approved template"
        case .amqpURL: "RabbitMQ that events go through, if any"
        case .amqpAuthorities: "authorities that amqps:// trusts (the system's)"
        case .deliveryAttempts: "attempts until an event is dead"
        case .deliveryPause: "milliseconds before attempt 2, then 4 times it"
        case .deliveryLease: "seconds of a delivery's lease; keep it above 30"
        case .eventsKept: "hours after the delivery"
        case .auditInterval: "seconds between audits; 0: none"
        case .auditBusy: "percent of the time that an audit works"
        case .allowPlaintext:
            "\(Plaintext.words): go without TLS to another machine; some of these, with commas"
        case .logLevel: "trace, debug, info, warning, error … (info)"
        case .logFormat: "json or text (text at a terminal, else json)"
        case .logRequests: "failed, refused (too), or all (failed)"
        }
    }

    /// What a setting that is a whole number may be, and what it is where it is not set.
    struct Numbers {
        let range: ClosedRange<Int>
        let usual: Int
    }

    /// Nil for a setting that is no number.
    var numbers: Numbers? {
        switch self {
        case .workers: Numbers(range: 1...1_024, usual: 128)
        case .databasePort: Numbers(range: 1...65_535, usual: 3_306)
        case .databasePool: Numbers(range: 1...1_000, usual: 32)
        case .ledgerLanes: Numbers(range: 1...16, usual: 1)
        case .ledgerQueue: Numbers(range: 1...100_000, usual: 4_096)
        case .webhooksAllowPrivate: Numbers(range: 0...1, usual: 0)
        case .deliveryAttempts: Numbers(range: 1...100, usual: 12)
        case .deliveryPause: Numbers(range: 1...3_600_000, usual: 5_000)
        case .deliveryLease: Numbers(range: 1...3_600, usual: 60)
        case .eventsKept: Numbers(range: 1...87_600, usual: 7 * 24)
        case .auditInterval: Numbers(range: 0...604_800, usual: 3_600)
        // Few enough that orders at full speed keep more than 95 % of it, and enough for an audit of
        // a million order lines to end within a minute beside them, as `script/bench audit` measures.
        case .auditBusy: Numbers(range: 1...100, usual: 14)
        default: nil
        }
    }

    /// The line of `--help`.
    var help: String {
        guard let numbers else { return explanation }
        let (range, usual) = (numbers.range, numbers.usual)
        return "\(explanation), \(range.lowerBound) to \(range.upperBound) (\(usual))"
    }

    /// Whether it must not be shown.
    var isSecret: Bool {
        // The broker's URL has a password in it.
        [.databasePassword, .alimTalkToken, .amqpURL].contains(self)
    }

    /// Those of ``Settings``.
    static let ofTheDatabase: [Setting] = [
        .databaseSocket, .databaseHost, .databasePort, .databaseAuthority, .databaseName,
        .databaseUser, .databasePassword, .allowPlaintext,
    ]

    /// Those of ``NotificationSettings``.
    static let ofNotifications: [Setting] = [
        .notificationFile, .alimTalkURL, .alimTalkToken, .alimTalkTemplate,
    ]

    /// What `--help` says of the settings of a command.
    static func help(_ settings: [Setting]) -> String {
        Screen.table(
            "SETTINGS, from the environment:", settings.map { ($0.rawValue, $0.help) })
    }
}

/// A setting that stops the start, in one line.
struct SettingError: Error, CustomStringConvertible {
    let description: String

    init(_ setting: Setting, _ problem: String) {
        description = "\(setting.rawValue) \(problem) (\(setting.explanation))"
    }
}

/// What every command has to know that works with the shop's database.
struct Settings {
    let database: Server
    let databaseConnections: Int
    let memcached: Memcached.Address?
    let logLevel: Logger.Level
    /// Nil where it hangs on what standard error is.
    let logFormat: LineLogHandler.Format?
    /// What may leave this machine without TLS.
    let plaintext: Plaintext

    /// - Throws: ``SettingError`` for the first setting that is missing or wrong.
    init(from environment: ConfigReader) throws(SettingError) {
        plaintext = try Plaintext(from: environment)
        database = try Self.database(environment)
        databaseConnections = try environment.number(.databasePool)
        memcached = try environment.text(.memcached).map(Self.memcached)
        try plaintext.check(database)
        try memcached.map(plaintext.check)
        let level = environment.text(.logLevel) ?? "info"
        guard let logLevel = Logger.Level(rawValue: level) else {
            throw SettingError(.logLevel, "is not a level")
        }
        self.logLevel = logLevel
        logFormat = try environment.choice(.logFormat)
    }

    private static func database(_ environment: ConfigReader) throws(SettingError) -> Server {
        Server(
            address: try databaseAddress(environment),
            user: try environment.required(.databaseUser),
            password: environment.text(.databasePassword) ?? "",
            database: try environment.required(.databaseName),
            certificateAuthority: environment.text(.databaseAuthority))
    }

    private static func databaseAddress(
        _ environment: ConfigReader
    ) throws(SettingError) -> Server.Address {
        if let path = environment.text(.databaseSocket) { return .socket(path: path) }
        guard let host = environment.text(.databaseHost) else {
            throw SettingError(
                .databaseSocket, "is missing, and so is \(Setting.databaseHost.rawValue)")
        }
        let port = try environment.number(.databasePort)
        return .host(name: Host(host).name, port: UInt16(port))
    }

    private static func memcached(_ text: String) throws(SettingError) -> Memcached.Address {
        if text.hasPrefix("/") { return .socket(path: text) }
        // An address of IPv6 has colons of its own, and is in brackets.
        guard let colon = text.lastIndex(of: ":"), colon != text.startIndex,
            let port = UInt16(text[text.index(after: colon)...]), port > 0
        else { throw SettingError(.memcached, "is neither an absolute path nor host:port") }
        let host = Host(String(text[..<colon]))
        guard !host.name.isEmpty, host.isBracketed || !host.name.contains(":") else {
            throw SettingError(.memcached, "is neither an absolute path nor host:port")
        }
        return .host(name: host.name, port: port)
    }
}

extension ConfigReader {
    /// - Returns: nil when the variable is absent or empty.
    func text(_ setting: Setting) -> String? {
        let key = setting.rawValue.lowercased().split(separator: "_").joined(separator: ".")
        let text = string(forKey: ConfigKey(key), isSecret: setting.isSecret)
        return text?.isEmpty == true ? nil : text
    }

    func required(_ setting: Setting) throws(SettingError) -> String {
        guard let text = text(setting) else { throw SettingError(setting, "is missing") }
        return text
    }

    /// - Returns: nil when the variable is absent or empty.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ setting: Setting
    ) throws(SettingError) -> Choice? {
        guard let text = text(setting) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let all = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw SettingError(setting, "is none of \(all)")
        }
        return choice
    }

    /// A setting that is a whole number; where it is absent or empty, what it usually is.
    func number(_ setting: Setting) throws(SettingError) -> Int {
        guard let numbers = setting.numbers else {
            preconditionFailure("\(setting.rawValue) is no number")
        }
        guard let text = text(setting) else { return numbers.usual }
        let range = numbers.range
        guard let number = Int(text), range.contains(number) else {
            throw SettingError(
                setting, "is not a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}
