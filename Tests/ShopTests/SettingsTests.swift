import Testing

@testable import CommerceTool

/// A wrong setting stops the start with one line that names it.
@Suite struct StartSettings {
    private let scratch: ScratchFolder
    private var folder: String { scratch.path }

    init() throws { scratch = try ScratchFolder() }

    private func serve(_ changes: [String: String?]) throws -> Finished {
        try start("serve", changes)
    }

    private func start(_ command: String, _ changes: [String: String?]) throws -> Finished {
        var settings: [String: String] = [
            "COMMERCE_SOCKET": "\(folder)/c.sock",
            "COMMERCE_DATABASE_SOCKET": try TestRun.mariadbSocket.get(),
            "COMMERCE_DATABASE_NAME": "nowhere", "COMMERCE_DATABASE_USER": "nobody",
            "COMMERCE_DATABASE_PASSWORD": "secret",
        ]
        for (name, value) in changes { settings[name] = value }
        return try Finished([TestRun.commerce, command], settings: settings, in: folder)
    }

    private func expectOneLine(
        _ run: Finished, naming name: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(run.status != 0, sourceLocation: sourceLocation)
        #expect(run.status < 128, "it crashed", sourceLocation: sourceLocation)
        #expect(run.output == "", sourceLocation: sourceLocation)
        #expect(run.errors.hasPrefix("commerce: "), sourceLocation: sourceLocation)
        #expect(run.errors.contains(name), "\(run.errors)", sourceLocation: sourceLocation)
        #expect(
            run.errors.filter(\.isNewline).count == 1, "\(run.errors)",
            sourceLocation: sourceLocation)
    }

    @Test func `a missing setting is named`() throws {
        for name in [
            "COMMERCE_DATABASE_SOCKET", "COMMERCE_DATABASE_NAME", "COMMERCE_DATABASE_USER",
        ] {
            expectOneLine(try serve([name: String?.none]), naming: "\(name) is missing")
            expectOneLine(try serve([name: ""]), naming: "\(name) is missing")
        }
    }

    @Test func `a wrong setting is named`() throws {
        for (name, values) in [
            ("COMMERCE_WORKERS", ["0", "-1", "1025", "x", "1.5", " 5"]),
            ("COMMERCE_DATABASE_POOL", ["0", "1001", "many"]),
            ("COMMERCE_MEMCACHED", ["memcached", "host:", ":1", "host:0", "host:65536", "a:b:c"]),
            ("COMMERCE_LEDGER", ["fast"]), ("COMMERCE_LEDGER_LANES", ["0", "17"]),
            ("COMMERCE_LEDGER_QUEUE", ["0", "100001"]),
            ("COMMERCE_LOG_LEVEL", ["loud", "INFO"]),
        ] {
            for value in values { expectOneLine(try serve([name: value]), naming: name) }
        }
        for port in ["0", "65536", "x"] {
            let run = try serve([
                "COMMERCE_DATABASE_SOCKET": String?.none, "COMMERCE_DATABASE_HOST": "127.0.0.1",
                "COMMERCE_DATABASE_PORT": port,
            ])
            expectOneLine(run, naming: "COMMERCE_DATABASE_PORT")
        }
    }

    @Test func `a worker's missing or wrong setting is named`() throws {
        let file: [String: String?] = ["COMMERCE_NOTIFICATION_FILE": "\(folder)/n.jsonl"]
        func work(_ name: String, _ value: String?) throws -> Finished {
            try start("work", file.merging([name: value]) { $1 })
        }
        expectOneLine(
            try work("COMMERCE_DATABASE_NAME", nil), naming: "COMMERCE_DATABASE_NAME is missing")
        for (name, values) in [
            ("COMMERCE_DELIVERY_ATTEMPTS", ["0", "101", "x"]),
            ("COMMERCE_DELIVERY_PAUSE_MS", ["0", "3600001", "5s"]),
            ("COMMERCE_DELIVERY_LEASE_SECONDS", ["0", "3601", "1.5"]),
            ("COMMERCE_EVENTS_KEPT_HOURS", ["0", "87601", "-1"]),
            ("COMMERCE_WEBHOOKS_ALLOW_PRIVATE", ["2", "yes"]), ("COMMERCE_LOG_LEVEL", ["loud"]),
        ] {
            for value in values { expectOneLine(try work(name, value), naming: name) }
        }
        let run = try start("work", file)
        #expect(run.status == 78)
        expectOneLine(run, naming: "nobody")
        #expect(!run.errors.contains("secret"))
    }

    @Test func `a login that MariaDB refuses is one line without the password`() throws {
        let run = try serve([:])
        #expect(run.status == 78)
        expectOneLine(run, naming: "nobody")
        #expect(!run.errors.contains("secret"))
    }

    @Test func `a socket that cannot be had is one line`() throws {
        let database = try ShopDatabase(isDemo: false, in: folder)
        for path in ["/nonexistent/c.sock", folder + "/" + String(repeating: "x", count: 120)] {
            let run = try serve([
                "COMMERCE_DATABASE_NAME": database.name, "COMMERCE_DATABASE_USER": database.user,
                "COMMERCE_DATABASE_PASSWORD": database.password, "COMMERCE_SOCKET": path,
            ])
            #expect(run.status == 78)
            expectOneLine(run, naming: path)
        }
        let missing = try serve([
            "COMMERCE_DATABASE_NAME": database.name, "COMMERCE_DATABASE_USER": database.user,
            "COMMERCE_DATABASE_PASSWORD": database.password, "COMMERCE_SOCKET": "",
        ])
        expectOneLine(missing, naming: "COMMERCE_SOCKET is missing")
    }

    @Test func `help names every setting`() throws {
        let run = try Finished([TestRun.commerce, "serve", "--help"], in: folder)
        #expect(run.status == 0)
        for name in [
            "SOCKET", "WORKERS", "DATABASE_SOCKET", "DATABASE_HOST", "DATABASE_PORT",
            "DATABASE_CA", "DATABASE_NAME", "DATABASE_USER", "DATABASE_PASSWORD", "DATABASE_POOL",
            "LEDGER", "LEDGER_LANES", "LEDGER_QUEUE", "MEMCACHED", "LOG_LEVEL",
        ] {
            #expect(run.output.contains("COMMERCE_\(name) "))
        }
        let work = try Finished([TestRun.commerce, "work", "--help"], in: folder)
        #expect(work.status == 0)
        for name in [
            "DATABASE_SOCKET", "DATABASE_PASSWORD", "MEMCACHED", "WEBHOOKS_ALLOW_PRIVATE",
            "DELIVERY_ATTEMPTS", "DELIVERY_PAUSE_MS", "DELIVERY_LEASE_SECONDS",
            "EVENTS_KEPT_HOURS", "NOTIFICATION_FILE", "AMQP_URL", "LOG_LEVEL",
        ] {
            #expect(work.output.contains("COMMERCE_\(name) "), "\(name)")
        }
    }

    @Test func `help, README and the program say the same of every setting`() throws {
        let readme = contents(of: TestRun.repository + "/README.md").split(separator: "\n")
        var helps = ""
        for command in ["serve", "work", "notify", "audit", "webhooks"] {
            helps += try Finished(
                [TestRun.commerce, command, "--help"], settings: ["COLUMNS": "200"], in: folder
            ).output
        }
        for setting in Setting.allCases {
            #expect(helps.contains("  \(setting.rawValue) "), "--help of no command has it")
            let rows = readme.filter { $0.hasPrefix("| `\(setting.rawValue)` |") }
            #expect(rows.count == 1, "README's tables have \(setting.rawValue) \(rows.count) times")
            guard let row = rows.first, let numbers = setting.numbers else { continue }
            let cells = row.split(separator: "|").map { $0.drop { $0 == " " } }
            #expect(cells[1] == "\(numbers.usual) ", "\(row)")
            let span = "\(numbers.range.lowerBound) to \(numbers.range.upperBound)"
            #expect(cells[2].contains(span), "\(row)")
            #expect(helps.contains("\(span) (\(numbers.usual))"), "\(setting.rawValue)")
            let command = ServeSettings.all.contains(setting) ? "serve" : "work"
            for wrong in [numbers.range.lowerBound - 1, numbers.range.upperBound + 1] {
                let run = try start(
                    command,
                    [
                        setting.rawValue: "\(wrong)", "COMMERCE_NOTIFICATION_FILE": "/dev/null",
                        "COMMERCE_DATABASE_SOCKET": "", "COMMERCE_DATABASE_HOST": "127.0.0.1",
                    ])
                expectOneLine(run, naming: "\(setting.rawValue) is not a whole number from \(span)")
            }
        }
    }
}
