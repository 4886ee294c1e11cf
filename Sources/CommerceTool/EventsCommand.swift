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
            try command(Deliveries(pool: try Startup.commandPool()))
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
                    if json {
                        try Output.write(json: record.json)
                    } else {
                        try Output.write(record.lines)
                    }
                }
                if records.isEmpty && !json {
                    let isChosen = state != nil || type != nil
                    try Output.write(isChosen ? "no event is like that" : "there are no events yet")
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
                    throw NotThere("there is no event \(id.id.lowercased)")
                }
                if json {
                    try Output.write(json: record.json)
                } else {
                    try Output.write(record.page)
                }
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

        /// The target that is named.
        ///
        /// - Throws: `NotThere` when it, or an event that is named, does not exist.
        func check(_ deliveries: Deliveries) throws -> TargetID? {
            let unknown = try deliveries.unknown(among: ids.map(\.id)).map(\.lowercased)
            if !unknown.isEmpty {
                throw NotThere("there is no event \(unknown.joined(separator: ", nor "))")
            }
            guard let id = target.map({ TargetID($0) }) else { return nil }
            guard try deliveries.hasTarget(id) else {
                throw NotThere("there is no endpoint \(id)")
            }
            return id
        }
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

        @Option(help: "The beginning of a span of time.", transform: moment)
        var from: Moment?

        @Option(help: "Its end, later than the beginning.", transform: moment)
        var to: Moment?

        func validate() throws {
            let isSpan = from != nil || to != nil
            let ways = [!choice.ids.isEmpty, choice.state != nil, isSpan].count { $0 }
            guard ways == 1, (from != nil) == (to != nil) else {
                throw ValidationError("Name ids, or --state dead, or both --from and --to.")
            }
            if let from, let to, to <= from {
                throw ValidationError(
                    "The span is empty: --from \(from.rfc3339) is not before --to \(to.rfc3339).")
            }
        }

        private var selection: Deliveries.Selection {
            if let from, let to { return .span(from: from, to: to) }
            return choice.state == nil ? .events(choice.ids.map(\.id)) : .dead
        }

        func run() throws {
            try EventsCommand.run { deliveries in
                let target = try choice.check(deliveries)
                if let target, try !deliveries.targets().contains(where: { $0.target == target }) {
                    throw Refused("endpoint \(target) is off, and gets nothing")
                }
                let count = try deliveries.replay(selection, target: target)
                try Output.write(
                    "\(count) \(count == 1 ? "delivery is" : "deliveries are") due again")
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
                let target = try choice.check(deliveries)
                let count = try deliveries.discardDead(
                    of: choice.state == nil ? choice.ids.map(\.id) : nil, target: target)
                try Output.write("\(count) \(count == 1 ? "delivery" : "deliveries") canceled")
            }
        }
    }
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

extension EventType: ExpressibleByArgument {
    /// One that this program writes: another is a mistake in typing.
    public init?(argument: String) {
        guard Self.allValueStrings.contains(argument) else { return nil }
        self.init(rawValue: argument)
    }

    public static var allValueStrings: [String] {
        [EventType.orderPaid, .orderCancelled, .pointsCharged].map(\.rawValue)
    }
}

extension DeliveryState: ExpressibleByArgument {
    public init?(argument: String) { self.init(rawValue: argument.uppercased()) }

    public static var allValueStrings: [String] { allCases.map { $0.rawValue.lowercased() } }
}

/// A moment as an argument.
private func moment(_ argument: String) throws -> Moment {
    do throws(Moment.Problem) {
        return try Moment(rfc3339: argument)
    } catch {
        throw ValidationError("\(error)")
    }
}
