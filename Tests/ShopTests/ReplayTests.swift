import Commerce
import FoundationEssentials
import MariaDB
import Store
import Testing

/// What an operator sees of events, and what is done again on request.
@Suite struct Replays {
    private let test: DeliveriesUnderTest
    private var deliveries: Deliveries { test.deliveries }

    init() throws { test = try DeliveriesUnderTest() }

    /// Dispatches events, and gives those that are asked for to their end at one target.
    private func end(
        _ count: Int, for target: TargetID = .notification, _ verdict: Mark.Verdict
    ) throws {
        let claimed = try test.claim(target, count)
        #expect(claimed.count == count)
        try deliveries.mark(claimed.map { Mark($0, verdict) })
    }

    @Test func `what is dead is due again as if it were new, and nothing else is`() throws {
        try test.happen(1_203)
        try test.dispatchAll()
        try end(1_200, .dead(cause: "500"))
        try end(1, .delivered)
        _ = try test.claim(.notification, 1)
        #expect(try deliveries.replay(.dead) == 1_200)
        let again = try test.claim(.notification, 2_000)
        #expect(again.count == 1_201, "with the one that nobody has had yet")
        #expect(again.allSatisfy { $0.attempt == 1 })
        #expect(try test.count(.dead) == 0)
        #expect(try deliveries.replay(.dead) == 0)
    }

    @Test func `one target's dead are replayed alone`() throws {
        let (one, other) = (try test.addEndpoint(), try test.addEndpoint())
        try test.happen(3)
        try test.dispatchAll()
        try end(3, for: one, .dead(cause: "500"))
        try end(2, for: other, .dead(cause: "500"))
        #expect(try deliveries.replay(.dead, target: one) == 3)
        #expect(try test.count(.dead, one) == 0)
        #expect(try test.count(.dead, other) == 2)
    }

    @Test func `an event that is named goes to all of its targets again`() throws {
        let endpoint = try test.addEndpoint()
        let ids = try test.happen(2)
        try test.dispatchAll()
        try end(2, .delivered)
        try end(2, for: endpoint, .dead(cause: "500"))
        #expect(try deliveries.replay(.events([ids[1], UUID()])) == 2)
        #expect(try test.claim().map(\.event.id) == [ids[1]])
        #expect(try test.claim(endpoint).map(\.event.id) == [ids[1]])
        #expect(try deliveries.replay(.events([ids[0]]), target: endpoint) == 1)
        #expect(try deliveries.replay(.events([])) == 0)
    }

    @Test func `a span of time is replayed from its beginning to before its end`() throws {
        let ids = try test.happen(1_200)
        try test.dispatchAll()
        try end(1_200, .delivered)
        // A second apart.
        try test.execute(
            """
            UPDATE outbox SET created_at = '2026-01-31 00:00:00' + INTERVAL aggregate_id SECOND,
                dispatched_at = '2026-01-31 00:00:01' + INTERVAL aggregate_id SECOND
            """)
        let count = try deliveries.replay(
            .span(from: Moment("2026-01-31 00:00:10"), to: Moment("2026-01-31 00:18:30")))
        #expect(count == 1_100)
        let again = Set(try test.claim(.notification, 2_000).map(\.event.id))
        #expect(again == Set(ids[9..<1_109]))
        let none = Deliveries.Selection.span(
            from: Moment("2026-02-01 00:00:00"), to: Moment("2026-03-01 00:00:00"))
        #expect(try deliveries.replay(none) == 0)
    }

    @Test func `an endpoint that is off gets nothing again`() throws {
        let (off, on) = (try test.addEndpoint(), try test.addEndpoint())
        let ids = try test.happen(2)
        try test.dispatchAll()
        try end(1, for: off, .dead(cause: "500"))
        try deliveries.switchOff(off, because: "of the test")
        #expect(try test.count(.canceled, off) == 1)
        #expect(try deliveries.replay(.events(ids)) == 4)
        #expect(try deliveries.replay(.dead) == 0)
        #expect(try deliveries.replay(.events(ids), target: off) == 0)
        #expect(try test.count(.pending, off) == 0)
        #expect(try test.count(.pending, on) == 2)
    }

    @Test func `what is discarded is canceled, and only what was dead`() throws {
        let endpoint = try test.addEndpoint()
        let ids = try test.happen(700)
        try test.dispatchAll()
        try end(600, .dead(cause: "500"))
        try end(700, for: endpoint, .dead(cause: "500"))
        #expect(try deliveries.discardDead(of: [ids[0]], target: endpoint) == 1)
        #expect(try deliveries.discardDead(of: ids.dropLast(100), target: .notification) == 600)
        #expect(try test.count(.pending) == 100)
        #expect(try deliveries.discardDead() == 699)
        #expect(try test.count(.dead) == 0)
        #expect(try test.count(.canceled) == 1_300)
    }

    // MARK: - The command

    private func events(_ arguments: String...) throws -> Finished {
        let scratch = try ScratchFolder()
        return try Finished(
            [TestRun.commerce, "events"] + arguments, settings: test.database.settings(),
            in: scratch.path)
    }

    private func rows(_ arguments: String...) throws -> [String] {
        let run = try Finished(
            [TestRun.commerce, "events", "list"] + arguments, settings: test.database.settings(),
            in: try TestRun.folder.get())
        #expect(run.status == 0, "\(run.errors)")
        return run.output.split(separator: "\n").map(String.init)
    }

    @Test func `the list has the newest first, by state and type`() throws {
        let endpoint = try test.addEndpoint()
        let ids = try test.happen(2)
        try test.dispatchAll()
        let other = try test.happen(1, type: .orderCancelled)
        try end(1, for: endpoint, .dead(cause: "answered 500"))

        let all = try rows()
        #expect(all.count == 5)
        #expect(all[0].hasPrefix(other[0].lowercased) && all[0].hasSuffix("not dispatched yet"))
        #expect(all[1].contains(ids[1].lowercased) && all[1].contains("notification  PENDING"))
        let dead = try rows("--state", "dead")
        #expect(dead.count == 1)
        #expect(dead[0].hasPrefix("\(ids[0].lowercased)  "))
        #expect(dead[0].contains("  order.paid       order 1         webhook \(endpoint)"))
        #expect(dead[0].contains("  DEAD       1 attempt, ended "))
        #expect(dead[0].hasSuffix(": answered 500"))
        #expect(try rows("--type", "order.cancelled").count == 1)
        #expect(
            try rows("--type", "order.cancelled", "--state", "pending") == ["no event is like that"]
        )
        #expect(try rows("--limit", "1").count == 1)
        #expect(try events("list", "--limit", "0").status != 0)
        #expect(try events("list", "--state", "lost").status != 0)
    }

    @Test func `an event is shown with its deliveries, for people and for programs`() throws {
        let id = try test.happen(1)[0]
        try test.dispatchAll()
        try end(1, .dead(cause: "a \"cause\""))
        let run = try events("show", id.uuidString)
        #expect(run.output.contains("data      {\"orderId\":\"1\",\"userId\":25,"))
        #expect(run.output.contains("notification  DEAD       1 attempt, ended "))
        let json = try events("show", "--json", id.lowercased).output
        struct Document: Decodable {
            struct Event: Decodable { let id: String, type: String }
            struct Delivery: Decodable { let targetId: Int, state: String, lastError: String }
            let event: Event
            let deliveries: [Delivery]
        }
        let document = try JSONDecoder().decode(Document.self, from: Data(json.utf8))
        #expect(document.event.id == id.lowercased && document.event.type == "order.paid")
        #expect(document.deliveries.map(\.lastError) == ["a \"cause\""])
        #expect(document.deliveries.map(\.state) == ["DEAD"])
        #expect(try rows("--json") == [String(json.dropLast())])
        let none = try events("show", UUID().uuidString)
        #expect(none.status != 0 && none.errors.hasPrefix("commerce: there is no event "))
        #expect(try events("show", "12").status != 0)
    }

    @Test func `the command says how many are due again, and takes one way to choose them`() throws
    {
        let id = try test.happen(2)[0]
        try test.dispatchAll()
        try end(2, .dead(cause: "500"))
        #expect(try events("replay", "--state", "dead").output == "2 deliveries are due again\n")
        #expect(try events("replay", id.lowercased).output == "1 delivery is due again\n")
        let span = ["--from", "2026-01-01T00:00:00+09:00", "--to", "2100-01-01T00:00:00.5Z"]
        #expect(
            try events("replay", span[0], span[1], span[2], span[3]).output
                == "2 deliveries are due again\n")
        #expect(try events("discard", "--state", "dead").output == "0 deliveries canceled\n")
        for wrong in [
            [], ["--state", "pending"], ["--state", "dead", id.lowercased], ["12"],
            ["--from", "2026-01-01T00:00:00Z"], ["--from", "yesterday", "--to", "today"],
        ] {
            let run = try Finished(
                [TestRun.commerce, "events", "replay"] + wrong, settings: test.database.settings(),
                in: try TestRun.folder.get())
            #expect(run.status == 64, "\(wrong): \(run.errors)")
        }
    }
}

extension ShopDatabase {
    /// What a command has to be told to work on it.
    func settings(through socket: String? = nil) throws -> [String: String] {
        [
            "COMMERCE_DATABASE_SOCKET": try socket ?? TestRun.mariadbSocket.get(),
            "COMMERCE_DATABASE_NAME": name, "COMMERCE_DATABASE_USER": user,
            "COMMERCE_DATABASE_PASSWORD": password,
        ]
    }
}
