import Testing

/// A wrong setting stops the start with one line that names it.
@Suite struct StartSettings {
    private let scratch: ScratchFolder
    private var folder: String { scratch.path }

    init() throws { scratch = try ScratchFolder() }

    private func serve(_ changes: [String: String?]) throws -> Finished {
        var settings: [String: String] = [
            "COMMERCE_SOCKET": "\(folder)/c.sock",
            "COMMERCE_DATABASE_SOCKET": try TestRun.mariadbSocket.get(),
            "COMMERCE_DATABASE_NAME": "nowhere", "COMMERCE_DATABASE_USER": "nobody",
            "COMMERCE_DATABASE_PASSWORD": "secret",
        ]
        for (name, value) in changes { settings[name] = value }
        return try Finished([TestRun.commerce, "serve"], settings: settings, in: folder)
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
    }
}
