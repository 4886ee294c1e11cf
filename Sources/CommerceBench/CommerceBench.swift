import ArgumentParser

/// Compares ways of guarding the last unit of a product. Not shipped.
@main
struct CommerceBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commerce-bench",
        abstract: "Compare ways of guarding the last unit of a product.",
        subcommands: [Locks.self, Contest.self])
}
