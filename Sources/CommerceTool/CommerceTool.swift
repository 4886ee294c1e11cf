import ArgumentParser

/// The order and payment backend of an online shop.
@main
struct CommerceTool: ParsableCommand {
    static let version = "0.5.0"

    static let configuration = CommandConfiguration(
        commandName: "commerce",
        abstract: "The order and payment backend of an online shop.",
        version: version,
        subcommands: [
            Serve.self, Work.self, Notify.self, AuditCommand.self, EventsCommand.self,
            Webhooks.self,
        ])
}
