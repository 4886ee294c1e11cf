import ArgumentParser
import Store

/// Calls the database's data the shop.
struct Resume: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say that this database is the shop: others are told of its events again.",
        discussion: """
            Data that were loaded from a dump are a copy: it takes orders, and nothing is sent to \
            anybody until this is said. What has happened meanwhile is sent then. Say it only where \
            the original has ended.


            """ + Setting.help(Setting.ofTheDatabase))

    func run() throws {
        try Startup.orOneLine {
            let isNew = try ShopState.declare(isLive: true, in: Startup.commandPool())
            try Output.write(
                isNew
                    ? "this database is the shop now: webhooks and notifications go out"
                    : "this database has been the shop already")
        }
    }
}

/// Calls the database's data a copy.
struct Hold: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say that this database is a copy: nobody is told of its events.",
        discussion: """
            Events wait until commerce resume. It is needed for a copy that was made of MariaDB's \
            files, which the shop cannot tell from the original, before a worker is started on it.


            """ + Setting.help(Setting.ofTheDatabase))

    func run() throws {
        try Startup.orOneLine {
            let isNew = try ShopState.declare(isLive: false, in: Startup.commandPool())
            try Output.write(
                isNew
                    ? "this database is a copy now: webhooks and notifications wait"
                    : "this database has been a copy already")
        }
    }
}
