import ArgumentParser
import Commerce
import Configuration
import Events
import FoundationEssentials
import HTTPClient
import MariaDB
import Store

/// The endpoints that events are sent to.
struct Webhooks: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say which systems get events as webhooks.",
        discussion: Setting.help(Setting.ofTheDatabase + [.webhooksAllowPrivate]),
        subcommands: [Add.self, List.self, Disable.self, Rotate.self, Test.self])

    /// The client that sends webhooks, by the settings.
    static func client(_ environment: ConfigReader) throws(SettingError) -> HTTPClient {
        var options = HTTPClient.Options()
        let allowsPrivate = try environment.number(.webhooksAllowPrivate) == 1
        options.addresses = allowsPrivate ? .any : .publicOnly
        return HTTPClient(options)
    }

    /// Runs a command on the endpoints of the database that the settings name.
    private static func run(_ command: (WebhookEndpoints) throws -> Void) throws {
        try Startup.orOneLine {
            try command(WebhookEndpoints(pool: try Startup.commandPool()))
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send every event from now on to a URL; prints the secret, once.")

        @Argument(help: "https://… or http://…")
        var url: String

        func validate() throws {
            do throws(HTTPClient.URLProblem) {
                try HTTPClient.check(url)
            } catch {
                throw ValidationError("\(error)")
            }
        }

        func run() throws {
            try Webhooks.run { endpoints in
                let secret = WebhookSecret.random()
                try endpoints.add(url, secret: secret, normalized: HTTPClient.normalized) { id in
                    try Output.write(["endpoint \(id)", "secret \(secret.text)"])
                }
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List all endpoints, with the events that wait and those given up.")

        func run() throws {
            try Webhooks.run { endpoints in
                let entries = try endpoints.all()
                try Output.write(
                    entries.isEmpty ? ["there are no endpoints yet"] : entries.map(Self.line))
            }
        }

        private static func line(_ entry: WebhookEndpoints.Entry) -> String {
            var line = "\(entry.id) \(entry.disabled == nil ? "on" : "off") \(entry.url)"
            line += " since \(entry.createdAt.rfc3339)"
            line += ", \(entry.pending) pending, \(entry.dead) dead"
            if let until = entry.previousSecretUntil {
                line += ", two secrets until \(until.rfc3339)"
            }
            if let disabled = entry.disabled {
                line += ", off since \(disabled.at.rfc3339): \(disabled.reason)"
            }
            return line
        }
    }

    struct Disable: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send an endpoint nothing any more, and cancel what it was to get.")

        @Argument(help: "The endpoint's number.")
        var id: Int64

        func run() throws {
            try Webhooks.run { endpoints in
                guard let canceled = try endpoints.disable(id, because: "by an operator") else {
                    throw NotThere("there is no endpoint \(id)")
                }
                try Output.write(
                    "endpoint \(id) is off, \(canceled) "
                        + "\(canceled == 1 ? "delivery" : "deliveries") canceled")
            }
        }
    }

    struct Rotate: ParsableCommand {
        /// For whoever receives to change over: a working day, wherever they are.
        private static let overlapHours = 24

        static let configuration = CommandConfiguration(
            abstract: "Print a new secret; the present one signs too for \(overlapHours) hours.")

        @Argument(help: "The endpoint's number.")
        var id: Int64

        func run() throws {
            try Webhooks.run { endpoints in
                let secret = WebhookSecret.random()
                let overlap = Self.overlapHours * 60 * 60
                let isRotated = try endpoints.rotate(id, to: secret, overlapSeconds: overlap) {
                    try Output.write(["endpoint \(id)", "secret \(secret.text)"])
                }
                if !isRotated { throw noEndpoint(id) }
            }
        }
    }

    struct Test: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send an endpoint an event of type webhook.test, and say what came of it.")

        @Argument(help: "The endpoint's number.")
        var id: Int64

        func run() throws {
            try Webhooks.run { endpoints in
                let client = try Webhooks.client(Startup.environment)
                guard try endpoints.areLive() else {
                    throw Refused(
                        "nothing is sent: these data are a copy of the shop's (commerce resume)")
                }
                guard let endpoint = try endpoints.enabled(id) else {
                    throw noEndpoint(id)
                }
                let target = WebhookTarget(endpoint, client: client)
                switch target.deliverTest(at: .now) {
                case .delivered: try Output.write("endpoint \(id) has taken it")
                case .failed(let cause, _), .rejected(let cause), .gone(let cause):
                    try Output.write("endpoint \(id) has not taken it: \(cause)")
                    throw ExitCode.failure
                }
            }
        }
    }
}

private func noEndpoint(_ id: Int64) -> NotThere {
    NotThere("there is no endpoint \(id) that is on")
}

extension Moment {
    /// By this machine's clock, for what is not in the database.
    fileprivate static var now: Moment {
        let style = Date.ISO8601FormatStyle(
            dateTimeSeparator: .space, includingFractionalSeconds: true)
        return Moment(String(Date.now.formatted(style).dropLast()))  // Its Z.
    }
}
