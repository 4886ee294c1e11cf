import ArgumentParser
import Commerce
import FoundationEssentials
import Store

/// What has happened, who was told, and what became of it.
struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Show what was told to whom, and tell it again.",
        discussion: Setting.help(Setting.ofTheDatabase),
        subcommands: [List.self, Show.self, Replay.self, Discard.self])

    /// Runs a command on the database that the settings name.
    private static func run(_ command: (Deliveries) throws -> Void) throws {
        try Startup.orOneLine {
            let settings = try Settings(from: Startup.environment)
            try command(Deliveries(pool: Startup.pool("main", 1, settings)))
        }
    }

    struct List: ParsableCommand {
        private static let limitMax = 10_000

        static let configuration = CommandConfiguration(
            abstract: "List the newest events, a line a delivery.")

        @Option(help: "Only deliveries that are pending, delivered, dead or canceled.")
        var state: DeliveryState?

        @Option(help: "Only events of this type, such as order.paid.")
        var type: EventType?

        @Option(help: "Events at most, 1 to \(limitMax).")
        var limit = 20

        @Flag(help: "Print a JSON document an event.")
        var json = false

        func validate() throws {
            guard (1...Self.limitMax).contains(limit) else {
                throw ValidationError("--limit is a number from 1 to \(Self.limitMax).")
            }
        }

        func run() throws {
            try EventsCommand.run { deliveries in
                let records = try deliveries.list(state: state, type: type, countMax: limit)
                for record in records {
                    if json { print(record.json) } else { for line in record.lines { print(line) } }
                }
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show an event and its deliveries.")

        @Argument(help: "The event's id.")
        var id: EventID

        @Flag(help: "Print one JSON document.")
        var json = false

        func run() throws {
            try EventsCommand.run { deliveries in
                guard let record = try deliveries.record(of: id.id) else {
                    throw NoEvent(id: id.id)
                }
                print(json ? record.json : record.page)
            }
        }
    }

    /// Which deliveries an operator means.
    struct Choice: ParsableArguments {
        @Argument(help: "Ids of events.")
        var ids: [EventID] = []

        enum State: String, CaseIterable, ExpressibleByArgument { case dead }

        @Option(help: "All that was given up.")
        var state: State?

        @Option(help: "Only deliveries for this endpoint; 0 is the notification.")
        var target: Int64?

        var targetID: TargetID? { target.map { TargetID($0) } }
    }

    struct Replay: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Deliver again: events by id, all that are dead, or a span of time.",
            discussion: """
                Every delivery of the events is due at once, as if it had never been attempted, \
                also those that have arrived; an endpoint that is switched off gets nothing. Times \
                are RFC 3339, as 2026-01-31T09:00:00+09:00; the end does not belong to the span.
                """)

        @OptionGroup var choice: Choice

        @Option(help: "The beginning of a span of time.")
        var from: Moment?

        @Option(help: "Its end.")
        var to: Moment?

        func validate() throws {
            let isSpan = from != nil || to != nil
            let ways = [!choice.ids.isEmpty, choice.state != nil, isSpan].count { $0 }
            guard ways == 1, (from != nil) == (to != nil) else {
                throw ValidationError("Name ids, or --state dead, or both --from and --to.")
            }
        }

        private var selection: Deliveries.Selection {
            if let from, let to { return .span(from: from, to: to) }
            return choice.state == nil ? .events(choice.ids.map(\.id)) : .dead
        }

        func run() throws {
            try EventsCommand.run { deliveries in
                let count = try deliveries.replay(selection, target: choice.targetID)
                print("\(count) \(count == 1 ? "delivery is" : "deliveries are") due again")
            }
        }
    }

    struct Discard: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give up for good what is dead: of events by id, or all.")

        @OptionGroup var choice: Choice

        func validate() throws {
            guard choice.ids.isEmpty != (choice.state == nil) else {
                throw ValidationError("Name ids or --state dead.")
            }
        }

        func run() throws {
            try EventsCommand.run { deliveries in
                let count = try deliveries.discardDead(
                    of: choice.state == nil ? choice.ids.map(\.id) : nil, target: choice.targetID)
                print("\(count) \(count == 1 ? "delivery" : "deliveries") canceled")
            }
        }
    }
}

/// There is no such event, or it was deleted long after it was delivered.
private struct NoEvent: Error, CustomStringConvertible {
    let id: UUID

    var description: String { "there is no event \(id.lowercased)" }
}

// MARK: - Arguments

/// An event's id as an argument.
struct EventID: ExpressibleByArgument {
    let id: UUID

    init?(argument: String) {
        guard let id = UUID(uuidString: argument) else { return nil }
        self.id = id
    }
}

extension EventType: ExpressibleByArgument {}

extension DeliveryState: ExpressibleByArgument {
    public init?(argument: String) { self.init(rawValue: argument.uppercased()) }

    public static var allValueStrings: [String] { allCases.map { $0.rawValue.lowercased() } }
}

extension Moment: ExpressibleByArgument {
    /// RFC 3339, with or without a fraction of a second.
    public init?(argument: String) {
        let styles = [false, true].map { Date.ISO8601FormatStyle(includingFractionalSeconds: $0) }
        guard let date = styles.lazy.compactMap({ try? $0.parse(argument) }).first else {
            return nil
        }
        let style = Date.ISO8601FormatStyle(
            dateTimeSeparator: .space, includingFractionalSeconds: true)
        self.init(String(date.formatted(style).dropLast()))  // Its Z.
    }
}
