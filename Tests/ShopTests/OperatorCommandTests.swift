import Commerce
import FoundationEssentials
import MariaDB
import Store
import Testing

/// What an operator types, and what is typed wrong.
@Suite struct OperatorCommands {
    private let test: DeliveriesUnderTest
    private let scratch: ScratchFolder
    private var deliveries: Deliveries { test.deliveries }

    init() throws {
        test = try DeliveriesUnderTest()
        scratch = try ScratchFolder()
    }

    private func commerce(_ arguments: String..., settings: [String: String] = [:]) throws
        -> Finished
    {
        try run(arguments, settings)
    }

    private func run(_ arguments: [String], _ settings: [String: String] = [:]) throws -> Finished {
        try Finished(
            [TestRun.commerce] + arguments,
            settings: test.database.settings().merging(settings) { $1 }, in: scratch.path)
    }

    private func expectRefusal(
        _ run: Finished, _ status: Int32, _ reason: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(run.status == status, "\(run.errors)", sourceLocation: sourceLocation)
        #expect(run.output == "", sourceLocation: sourceLocation)
        #expect(run.errors.contains(reason), "\(run.errors)", sourceLocation: sourceLocation)
    }

    // MARK: - Times and ids

    @Test(arguments: [
        "2026-11-29T25:00:00Z", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-06-30T23:59:60Z",
    ])
    func `a time that does not exist is refused with its reason`(typed: String) throws {
        let wrong = try commerce(
            "events", "replay", "--from", typed, "--to", "2027-01-01T00:00:00Z")
        expectRefusal(wrong, 64, "there is no such date or time of day")
        let other = try commerce(
            "events", "replay", "--from", "2026-01-01T00:00:00Z", "--to", typed)
        expectRefusal(other, 64, "there is no such date or time of day")
    }

    @Test func `a span that is empty is refused`() throws {
        for (from, to) in [
            ("2026-11-29T10:00:00Z", "2026-11-29T09:00:00Z"),
            ("2026-11-29T10:00:00Z", "2026-11-29T10:00:00.000000Z"),
            ("2026-11-29T10:00:00Z", "2026-11-29T19:00:00+09:00"),
        ] {
            let run = try commerce("events", "replay", "--from", from, "--to", to)
            expectRefusal(run, 64, "The span is empty")
        }
        let fine = try commerce(
            "events", "replay", "--from", "2026-11-29t10:00:00z", "--to",
            "2026-11-29T19:00:01+09:00")
        #expect(fine.status == 0 && fine.output == "0 deliveries are due again\n", "\(fine.errors)")
    }

    @Test func `an id that nobody has is said so, and nothing is done`() throws {
        let id = try test.happen(1)[0].lowercased
        try test.dispatchAll()
        let none = "019e1b40-2f3c-7000-9f3b-5b2a8e6f0c11"
        for command in [
            ["show", none], ["replay", none], ["replay", id, none], ["discard", none],
        ] {
            expectRefusal(try run(["events"] + command), 66, "there is no event \(none)")
        }
        for command in [["replay", id], ["replay", "--state", "dead"], ["discard", id]] {
            let run = try run(["events"] + command + ["--target", "77"])
            expectRefusal(run, 66, "there is no endpoint 77")
        }
        for command in ["disable", "rotate", "test"] {
            expectRefusal(try commerce("webhooks", command, "77"), 66, "there is no endpoint 77")
        }
        let off = try test.addEndpoint()
        try deliveries.switchOff(off, because: "of the test")
        let run = try commerce("events", "replay", id, "--target", "\(off)")
        expectRefusal(run, 65, "endpoint \(off) is off")
        expectRefusal(try commerce("events", "list", "--type", "order.payed"), 64, "order.payed")
    }

    @Test func `where MariaDB is not there the status says so`() throws {
        for command in [["events", "list"], ["webhooks", "list"], ["audit"], ["resume"]] {
            let run = try run(
                command, ["COMMERCE_DATABASE_SOCKET": "\(scratch.path)/none.sock"])
            expectRefusal(run, 69, "MariaDB")
        }
    }

    // MARK: - What is shown

    @Test func `where there is nothing it says so`() throws {
        #expect(try commerce("events", "list").output == "there are no events yet\n")
        #expect(try commerce("events", "list", "--json").output == "")
        #expect(try commerce("webhooks", "list").output == "there are no endpoints yet\n")
        try test.happen(1)
        let run = try commerce("events", "list", "--state", "dead")
        #expect(run.output == "no event is like that\n")
    }

    @Test func `an event that was replayed and has arrived shows no failure of before`() throws {
        let id = try test.happen(1)[0].lowercased
        try test.dispatchAll()
        try deliveries.mark(try test.claim().map { Mark($0, .dead(cause: "answered 500")) })
        #expect(try commerce("events", "show", id).output.contains(": answered 500"))
        #expect(try commerce("events", "replay", id).status == 0)
        #expect(try !commerce("events", "show", id).output.contains("500"))
        try deliveries.mark(
            try test.claim().map { Mark($0, .again(afterMilliseconds: 0, cause: "answered 501")) })
        #expect(try commerce("events", "show", id).output.contains(": answered 501"))
        try deliveries.mark(try test.claim().map { Mark($0, .delivered) })
        for form in [[], ["--json"]] {
            let shown = try run(["events", "show", id] + form).output
            #expect(shown.contains("DELIVERED") && !shown.contains("answered"), "\(shown)")
        }
    }

    /// What a peer may say to move the cursor, to hide what it says, or to turn it round.
    private static let hostile =
        "한글 \u{1B}[2J\u{9B}31m\u{07}\r\n\u{2028}\u{2029}\u{202E}\u{2066}\u{200B}\u{85}\u{7F}\u{E0001}끝"

    @Test func `a peer's words cannot work a terminal`() throws {
        let id = try test.happen(1)[0].lowercased
        try test.dispatchAll()
        let endpoint = try test.addEndpoint()
        try deliveries.mark(try test.claim().map { Mark($0, .dead(cause: "answered 500")) })
        try deliveries.switchOff(endpoint, because: "gone")
        // As a program may have stored it that did not spell out what a terminal obeys.
        let owner = try test.database.connect()
        try owner.execute(
            "UPDATE delivery SET last_error = ? WHERE state = 'DEAD'", [.text(Self.hostile)])
        try owner.execute("UPDATE webhook_endpoint SET disabled_reason = ?", [.text(Self.hostile)])
        for command in [["events", "show", id], ["events", "list"], ["webhooks", "list"]] {
            let output = try run(command).output
            for scalar in Self.hostile.unicodeScalars.dropFirst(3).dropLast() {
                guard ![" ", "\n", "[", "2", "J", "3", "1", "m"].contains(scalar) else { continue }
                #expect(!output.unicodeScalars.contains(scalar), "\(command) \(scalar.value)")
            }
            #expect(output.contains(#"한글 \u{1b}[2J\u{9b}31m\u{7}\u{d}\u{a}"#), "\(output)")
            #expect(output.contains("끝"))
        }
        struct Document: Decodable {
            struct Delivery: Decodable { let lastError: String }
            let deliveries: [Delivery]
        }
        for command in [["events", "show", id, "--json"], ["events", "list", "--json"]] {
            let output = try run(command).output
            #expect(
                output.unicodeScalars.allSatisfy {
                    $0 == "\n"
                        || $0.properties.generalCategory != .control
                            && $0.properties.generalCategory != .format
                })
            let document = try JSONDecoder().decode(Document.self, from: Data(output.utf8))
            #expect(document.deliveries.map(\.lastError) == [Self.hostile])
        }
        let complaint = try commerce("events", "show", "\u{1B}[2J")
        #expect(!complaint.errors.contains("\u{1B}") && complaint.status == 64)
    }

    // MARK: - Output that is not written

    /// All commands that print something, on an event and an endpoint that are there.
    private static let printing = [
        "events list", "events list --json", "events show ID", "events show ID --json",
        "events replay ID", "events discard ID", "webhooks list", "webhooks add https://a.example/",
        "webhooks rotate 1", "webhooks disable 1", "audit", "audit --json", "resume", "hold",
        "--help", "help", "serve --help", "events list --help", "--version",
        "--generate-completion-script bash",
    ]

    @Test(arguments: [">/dev/full", ">&-", "| true", "> /dev/full 2>&1"])
    func `output that cannot be written is a failure, and is said`(end: String) throws {
        let secret = WebhookSecret.random()
        try test.endpoints.add("https://b.example/", secret: secret)
        let id = try test.happen(1)[0].lowercased
        for command in Self.printing {
            let line = command.replacing("ID", with: id)
            // A reader that has gone has to have gone first.
            let start =
                end == "| true"
                ? "{ sleep 0.3; \"$0\" \(line); echo $? >status; } \(end)"
                : "\"$0\" \(line) \(end); echo $? >status"
            let run = try Finished(
                ["bash", "-c", "cd \"$1\" && \(start)", TestRun.commerce, scratch.path],
                settings: test.database.settings(), in: scratch.path)
            let status = contents(of: scratch.path + "/status")
            #expect(status == "74\n", "\(command) \(end): \(run.errors)")
            if !end.contains("2>&1") {
                #expect(
                    run.errors.hasPrefix("commerce: the output could not be written: "),
                    "\(command): \(run.errors)")
                #expect(run.errors.filter(\.isNewline).count == 1, "\(command)")
            }
        }
        // The secrets that nobody has seen are nobody's.
        #expect(try test.number("SELECT COUNT(*) FROM webhook_endpoint") == 1)
        let kept = try test.database.connect().query(
            "SELECT secret, previous_secret IS NULL FROM webhook_endpoint"
        ) { row throws(DatabaseError) in (try row.bytes(0), try row.integer(1)) }
        #expect(kept.first?.0 == secret.bytes && kept.first?.1 == 1)
    }

    // MARK: - The same URL

    @Test(arguments: [
        "https://hooks.example/a/b?c=d", "HTTPS://Hooks.Example/a/b?c=d",
        "https://hooks.example:443/a/b?c=d", "https://hooks.example./a/./x/../b?c=d",
        "https://hooks.example/%61/b?c=%64", "https://hooks.example/a/b?c=d#part",
    ])
    func `a URL that gets events already is not added again`(url: String) throws {
        #expect(try commerce("webhooks", "add", "https://hooks.example/a/b?c=d").status == 0)
        expectRefusal(try commerce("webhooks", "add", url), 65, "endpoint 1 has this URL already")
        for other in [
            "http://hooks.example/a/b?c=d", "https://hooks.example:444/a/b?c=d",
            "https://hooks.example/a/B?c=d", "https://hooks.example/a/b",
            "https://hooks.example/a%2Fb",
        ] {
            #expect(try commerce("webhooks", "add", other).status == 0, "\(other)")
        }
        #expect(try commerce("webhooks", "disable", "1").status == 0)
        #expect(try commerce("webhooks", "add", url).status == 0)
    }

    @Test func `of many who add one URL at once one is taken`() throws {
        let settings = try test.database.settings()
        let folder = scratch.path
        let run: @Sendable (Void, Int) throws -> Finished = { _, _ in
            try Finished(
                [TestRun.commerce, "webhooks", "add", "https://hooks.example/"], settings: settings,
                in: folder)
        }
        let runs = try inParallel(8, threads: 8, {}, run)
        #expect(runs.count { $0.status == 0 } == 1)
        #expect(runs.count { $0.status == 65 } == 7, "\(runs.map(\.errors))")
    }
}

/// `--help` on screens of all widths.
@Suite struct HelpScreens {
    @Test(arguments: ["40", "60", "80", "120", "7", "wide"])
    func `a table fits the screen, and goes on below its second column`(columns: String) throws {
        let scratch = try ScratchFolder()
        let width = max(40, Int(columns) ?? 80)
        for command in [
            "", "serve", "work", "notify", "audit", "events", "events replay", "webhooks",
            "webhooks add", "resume", "hold",
        ] {
            let run = try Finished(
                [TestRun.commerce] + command.split(separator: " ").map(String.init) + ["--help"],
                settings: ["COLUMNS": columns], in: scratch.path)
            #expect(run.status == 0, "\(run.errors)")
            let lines = run.output.split(separator: "\n", omittingEmptySubsequences: false)
            // The parser's own usage and its last line are what they are.
            for line in lines
            where !line.contains("USAGE") && !line.hasPrefix("    ")
                && !line.hasSuffix("for detailed help.")
            {
                #expect(line.count <= width, "\(command): \(line)")
            }
            guard let title = lines.firstIndex(of: "SETTINGS, from the environment:"), width >= 80
            else { continue }
            let table = lines[(title + 1)...].prefix { !$0.isEmpty }
            let starts = table.compactMap { line in
                line.firstMatch(of: /^  COMMERCE_\w+ +/).map { $0.output.count }
            }
            #expect(Set(starts).count == 1 && table.count >= starts.count, "\(command)")
            for line in table where !line.hasPrefix("  COMMERCE_") {
                #expect(line.prefix { $0 == " " }.count == starts[0], "\(command): \(line)")
            }
        }
    }
}
