import Testing

/// A wrong setting of a notification stops the start of the commands that need it, in one line.
@Suite struct NotificationStart {
    private let scratch: ScratchFolder

    init() throws { scratch = try ScratchFolder() }

    private func run(_ command: String, _ changes: [String: String]) throws -> Finished {
        let settings = [
            "COMMERCE_DATABASE_SOCKET": "\(scratch.path)/none.sock",
            "COMMERCE_DATABASE_NAME": "nowhere", "COMMERCE_DATABASE_USER": "nobody",
        ]
        return try Finished(
            [TestRun.commerce, command], settings: settings.merging(changes) { $1 },
            in: scratch.path)
    }

    private func expectOneLine(
        _ run: Finished, _ start: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(run.status == 78, sourceLocation: sourceLocation)
        #expect(
            run.errors.hasPrefix("commerce: \(start)"), "\(run.errors)",
            sourceLocation: sourceLocation)
        #expect(run.errors.filter(\.isNewline).count == 1, sourceLocation: sourceLocation)
        #expect(!run.errors.contains("s3cret"), sourceLocation: sourceLocation)
    }

    @Test func `a channel that is missing or half set is named`() throws {
        let file = ["COMMERCE_NOTIFICATION_FILE": "/dev/null"]
        let gateway = ["COMMERCE_ALIMTALK_URL": "https://gateway.example/send"]
        let token = ["COMMERCE_ALIMTALK_TOKEN": "s3cret"]
        let broker = ["COMMERCE_AMQP_URL": "amqp://u:s3cret@127.0.0.1"]
        expectOneLine(try run("work", [:]), "COMMERCE_NOTIFICATION_FILE is missing")
        expectOneLine(try run("notify", broker), "COMMERCE_NOTIFICATION_FILE is missing")
        expectOneLine(try run("notify", file), "COMMERCE_AMQP_URL is missing")
        expectOneLine(try run("work", gateway), "COMMERCE_ALIMTALK_TOKEN is missing")
        expectOneLine(
            try run("work", gateway.merging(token) { $1 }),
            "COMMERCE_ALIMTALK_TEMPLATE is missing")
    }

    @Test func `a wrong URL is named without its password`() throws {
        let file = ["COMMERCE_NOTIFICATION_FILE": "/dev/null"]
        for url in ["http://u:s3cret@host", "amqp://u:s3cret@", "amqp://u:s3cret@host:99999"] {
            for command in ["work", "notify"] {
                expectOneLine(
                    try run(command, file.merging(["COMMERCE_AMQP_URL": url]) { $1 }),
                    "COMMERCE_AMQP_URL is not amqp://")
            }
        }
        for url in ["gateway", "ftp://host", "https://u:s3cret@host"] {
            expectOneLine(
                try run("work", ["COMMERCE_ALIMTALK_URL": url]), "COMMERCE_ALIMTALK_URL ")
        }
    }

    @Test func `help names every setting`() throws {
        let help = try Finished([TestRun.commerce, "notify", "--help"], in: scratch.path)
        #expect(help.status == 0)
        for name in [
            "DATABASE_SOCKET", "DATABASE_PASSWORD", "NOTIFICATION_FILE", "ALIMTALK_URL",
            "ALIMTALK_TOKEN", "ALIMTALK_TEMPLATE", "AMQP_URL", "AMQP_CA", "DELIVERY_PAUSE_MS",
            "LOG_LEVEL",
        ] {
            #expect(help.output.contains("COMMERCE_\(name) "), "\(name)")
        }
    }
}
