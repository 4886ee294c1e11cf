import FoundationEssentials
import ShopParts

/// Holds what clients, receiver and buyers know against what the database says: the invariants of a
/// shop that has lost nothing and done nothing twice. Pure.
struct Verdict {
    /// Each in words that name the rule and the row.
    private(set) var wrong: [String] = []
    /// Accepted orders, those without a known answer included.
    private(set) var orders = 0

    private let before: Ground
    private let after: Ground
    /// What took effect, by what it made.
    private var ordered: [Int: Command] = [:]
    private var canceled: Set<Int> = []
    private var charged: [Ground.Charge: Int] = [:]

    init(_ records: [Record], before: Ground, after: Ground) {
        self.before = before
        self.after = after
        for record in records {
            judgeAnswers(of: record)
            judgeKey(of: record)
            if let (command, body) = record.accepted { note(command, body) }
        }
        judgeKeysNobodySent(Set(records.map(\.key)))
        claimOrphans(of: records)
        judgeOrders()
        judgeCharges()
        judgeBalances()
        judgeStock()
        judgeEvents()
        orders = after.orders.count - before.orders.count
    }

    private mutating func fault(_ rule: String, _ what: String) { wrong.append("\(rule): \(what)") }

    // MARK: - I3: keys

    /// Under one key one command takes effect, and all who ask for it get the same bytes.
    private mutating func judgeAnswers(of record: Record) {
        var firsts = 0
        for attempt in record.attempts {
            guard case .accepted(let body, let isReplayed) = attempt.outcome else { continue }
            if !isReplayed { firsts += 1 }
            if let accepted = record.accepted {
                if body != accepted.body {
                    fault("I3", "\(record.key): two answers, \(text(accepted.body)) \(text(body))")
                }
                if attempt.command != accepted.command {
                    fault("I3", "\(record.key): two requests were accepted")
                }
            }
        }
        if firsts > 1 { fault("I3", "\(record.key): carried out \(firsts) times") }
        judgeLaterAnswers(of: record)
    }

    /// Who asks after a 200 was received gets it again, or, with another body, a refusal.
    private mutating func judgeLaterAnswers(of record: Record) {
        guard record.commands[0].hasKey, let accepted = record.accepted,
            let known = record.attempts.first(where: {
                if case .accepted = $0.outcome { true } else { false }
            })
        else { return }
        for attempt in record.attempts where attempt.began > known.ended {
            let isSame = attempt.command == accepted.command
            switch attempt.outcome {
            case .accepted(_, let isReplayed):
                if !isReplayed { fault("I3", "\(record.key): carried out again") }
            case .refused(let code):
                if isSame { fault("I3", "\(record.key): \(code) after it was accepted") }
            case .keyReused:
                if isSame { fault("I3", "\(record.key): refused to who had sent it") }
            case .notDone, .inProgress, .unknown, .wrong: break
            }
        }
    }

    private mutating func judgeKey(of record: Record) {
        let stored = after.keys[record.key]
        if let accepted = record.accepted, record.commands[0].hasKey {
            if stored == nil {
                fault("I3", "\(record.key): accepted, and not in the database")
            } else if stored != Ground.StoredAnswer(status: 200, body: accepted.body) {
                fault("I3", "\(record.key): another answer is stored")
            }
        } else if stored != nil {
            fault("I3", "\(record.key): nobody was told, and it is in the database")
        }
    }

    private mutating func judgeKeysNobodySent(_ sent: Set<Command.Key>) {
        for key in after.keys.keys where !sent.contains(key) && before.keys[key] == nil {
            fault("I3", "\(key): nobody has sent it")
        }
    }

    // MARK: - What took effect

    private mutating func note(_ command: Command, _ body: [UInt8]) {
        switch command.key.scope {
        case .order:
            guard let number = orderNumber(in: body) else {
                return fault("I3", "\(command.key): no order in \(text(body))")
            }
            if ordered.updateValue(command, forKey: number) != nil {
                fault("I4", "order \(number) was given to two")
            }
        case .charge:
            charged[Ground.Charge(user: command.key.user, amount: command.amount), default: 0] += 1
        case .cancel:
            if !canceled.insert(command.key.order).inserted {
                fault("I4", "order \(command.key.order) was canceled twice")
            }
        }
    }

    /// An order without a key whose answer got lost has happened or not, and nobody can ask. Each
    /// order that nobody was told of has to be one of these.
    private mutating func claimOrphans(of records: [Record]) {
        var open = records.filter { !$0.commands[0].hasKey && !$0.unresolved.isEmpty }
            .map { $0.commands[0] }
        for (number, order) in after.orders where before.orders[number] == nil {
            guard ordered[number] == nil else { continue }
            let match = open.firstIndex {
                $0.key.user == order.user && units(of: $0) == order.lines
                    && $0.amount == order.total
            }
            guard let match else {
                fault("I4", "order \(number) of user \(order.user): nobody knows of it")
                continue
            }
            ordered[number] = open.remove(at: match)
        }
    }

    private func units(of command: Command) -> [Int: Int] {
        command.lines.reduce(into: [:]) { $0[$1.product, default: 0] += $1.quantity }
    }

    // MARK: - I4: orders, payments, refunds

    private mutating func judgeOrders() {
        for (number, command) in ordered {
            guard let order = after.orders[number] else {
                fault("I4", "order \(number) was confirmed and is not there")
                continue
            }
            if order.user != command.key.user || order.total != command.amount
                || order.lines != units(of: command)
            {
                fault("I4", "order \(number) is not what was ordered")
            }
            if order.isCanceled != canceled.contains(number) {
                fault("I4", "order \(number): canceled is \(order.isCanceled), not as was told")
            }
            if after.paid[number] != order.total {
                fault("I4", "order \(number): paid \(after.paid[number] ?? 0) of \(order.total)")
            }
            if after.refunded[number, default: 0] != (order.isCanceled ? order.total : 0) {
                fault("I4", "order \(number): refunded \(after.refunded[number, default: 0])")
            }
        }
        for number in canceled where ordered[number] == nil {
            fault("I4", "order \(number) was canceled and is not there")
        }
        for number in Set(after.paid.keys).union(after.refunded.keys)
        where after.orders[number] == nil {
            fault("I4", "a payment is for order \(number), which is not there")
        }
    }

    private mutating func judgeCharges() {
        var stored: [Ground.Charge: Int] = [:]
        for (id, charge) in after.charges where before.charges[id] == nil {
            stored[charge, default: 0] += 1
        }
        for charge in Set(stored.keys).union(charged.keys)
        where stored[charge, default: 0] != charged[charge, default: 0] {
            fault(
                "I2",
                "user \(charge.user) was charged \(charge.amount) \(stored[charge, default: 0]) "
                    + "times, and told \(charged[charge, default: 0]) times")
        }
    }

    // MARK: - I1, I2: stock and points, from what clients were told

    private mutating func judgeBalances() {
        var expected = before.points
        for (charge, count) in charged {
            expected[charge.user, default: 0] += charge.amount * count
        }
        for (number, command) in ordered where !canceled.contains(number) {
            expected[command.key.user, default: 0] -= command.amount
        }
        for (user, points) in after.points {
            if points != expected[user] {
                fault("I2", "user \(user) has \(points), and should have \(expected[user] ?? 0)")
            }
            if points < 0 { fault("I2", "user \(user) has \(points)") }
        }
    }

    private mutating func judgeStock() {
        var expected = before.stock
        for (number, command) in ordered where !canceled.contains(number) {
            for (product, units) in units(of: command) { expected[product, default: 0] -= units }
        }
        for (product, quantity) in after.stock {
            if quantity != expected[product] {
                fault(
                    "I1",
                    "product \(product) has \(quantity), and should have \(expected[product] ?? 0)")
            }
            if quantity < 0 { fault("I1", "product \(product) has \(quantity)") }
        }
    }

    // MARK: - I4: events

    private mutating func judgeEvents() {
        let wanted = [
            "order.paid": Array(after.orders.keys),
            "order.cancelled": after.orders.filter(\.value.isCanceled).map(\.key),
            "points.charged": Array(after.charges.keys),
        ]
        for type in Set(wanted.keys).union(after.events.keys) {
            let (events, rows) = (after.events[type, default: []], wanted[type, default: []])
            if events.sorted() != rows.sorted() {
                let odd = Set(events).symmetricDifference(rows).sorted().prefix(5)
                fault("I4", "\(events.count) events \(type) for \(rows.count): \(odd)")
            }
        }
    }

    /// What was delivered: every event to the receiver, each order's to its buyer, and no other.
    mutating func judgeDeliveries(received: Set<UUID>, wronglySigned: [String], told: Set<UUID>) {
        for line in wronglySigned.prefix(5) { fault("I4", "a webhook was wrongly signed: \(line)") }
        if received != after.eventIDs {
            let odd = received.symmetricDifference(after.eventIDs)
            fault(
                "I4",
                "\(received.count) events were received of \(after.eventIDs.count): "
                    + odd.prefix(5).map(\.uuidString).joined(separator: " "))
        }
        if told != after.toldOrders {
            let odd = told.symmetricDifference(after.toldOrders)
            fault(
                "I4",
                "buyers were told of \(told.count) events of \(after.toldOrders.count): "
                    + odd.prefix(5).map(\.uuidString).joined(separator: " "))
        }
        for (what, count) in after.deliveries where !what.hasPrefix("DELIVERED ") {
            fault("I5", "\(count) deliveries are \(what)")
        }
        if after.undispatched > 0 { fault("I5", "\(after.undispatched) events wait") }
    }

    private func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.prefix(120), as: UTF8.self)
    }
}
