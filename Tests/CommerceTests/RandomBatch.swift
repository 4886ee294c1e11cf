import SeededRandom

@testable import Commerce

/// Commands of a few users on a few products, so that they are always in one another's way.
struct RandomBatch: CustomStringConvertible {
    static let count = 2_000
    /// The first batch's seed; the following batches have the following numbers.
    static let firstSeed = testSeed

    let seed: UInt64
    let snapshot: Snapshot
    let commands: [Command]
    let numbers: Numbers

    /// How to see this batch again, as the first.
    var description: String { "COMMERCE_TEST_SEED=\(seed)" }

    var plan: CheckoutPlan { CheckoutPlan(commands, on: snapshot, drawing: numbers) }

    static var all: some Sequence<RandomBatch> {
        (0..<count).lazy.map { RandomBatch(seed: firstSeed &+ UInt64($0)) }
    }

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        self.seed = seed
        snapshot = Self.snapshot(&random)
        let count = Int.random(in: 0...40, using: &random)
        var commands: [Command] = []
        for _ in 0..<count {
            if let repeated = commands.randomElement(using: &random), random.chance(15) {
                commands.append(repeated)
            } else {
                commands.append(Self.command(on: snapshot, &random))
            }
        }
        self.commands = commands
        var numbers = Numbers()
        numbers.add(
            orders: (0..<Int64(count)).map { 500 + $0 },
            payments: (0..<Int64(count)).map { 100 + $0 })
        self.numbers = numbers
    }

    private static func snapshot(_ random: inout SplitMix64) -> Snapshot {
        var snapshot = Snapshot()
        for number in 1...Int64.random(in: 1...5, using: &random) {
            let isRich = random.chance(20)
            let points =
                isRich
                ? Won.maximumBalance.amount - Int64.random(in: 0...30_000, using: &random)
                : Int64.random(in: 0...30_000, using: &random)
            snapshot.users[UserID(number)] = user(
                number, points: points, version: .random(in: 1...9, using: &random))
            if random.chance(30) {
                let key = key("a", of: UserID(number), random.chance(50) ? .charge : .order)
                snapshot.keys[key] = Snapshot.KeyRecord(
                    fingerprint: [0],
                    answer: StoredAnswer(status: 200, body: Array("earlier".utf8)))
            }
        }
        for number in 1...Int64.random(in: 1...6, using: &random) {
            snapshot.products[ProductID(number)] = product(
                number, price: random.chance(20) ? 0 : .random(in: 1...4_000, using: &random),
                stock: .random(in: 0...12, using: &random),
                version: .random(in: 1...9, using: &random), isOnSale: !random.chance(5))
        }
        for number in 0..<Int64.random(in: 0...4, using: &random) {
            snapshot.orders[OrderID(number)] = placedOrder(number, in: snapshot, &random)
        }
        return snapshot
    }

    /// Now and then of a user or with a product that is not there.
    private static func placedOrder(
        _ number: Int64, in snapshot: Snapshot, _ random: inout SplitMix64
    ) -> PlacedOrder {
        let missing: Int64 = random.chance(5) ? 1 : 0
        let count = Int64(snapshot.products.count) + missing
        let first = Int64.random(in: 1...count, using: &random)
        let last = Int64.random(in: first...count, using: &random)
        let lines = (first...last).map { product in
            (product, Int64.random(in: 1...3, using: &random), Int64(product * 100))
        }
        return placed(
            number, of: .random(in: 1...(Int64(snapshot.users.count) + missing), using: &random),
            lines, status: random.chance(80) ? .paid : .canceled,
            version: .random(in: 0...9, using: &random))
    }

    private static func command(on snapshot: Snapshot, _ random: inout SplitMix64) -> Command {
        let user = UserID(.random(in: 0...Int64(snapshot.users.count), using: &random))
        let action: Command.Action =
            switch Int.random(in: 0..<100, using: &random) {
            case ..<25: charge(of: user, &random)
            case ..<45: cancel(by: user, on: snapshot, &random)
            default: order(of: user, on: snapshot, &random)
            }
        let trace = TraceID(
            String(repeating: "0", count: 30) + "\(Int.random(in: 10...99, using: &random))")
        guard random.chance(50) else { return Command(action, traceID: trace) }
        let scope: Idempotency.Scope =
            switch action {
            case .charge: .charge
            case .order: .order
            case .cancel(_, let order): .cancel(order)
            }
        let text = ["a", "b", "c"].randomElement(using: &random) ?? "a"
        return Command(
            action,
            idempotency: Idempotency(
                key: key(text, of: Command(action).user, scope),
                fingerprint: [random.chance(80) ? 0 : 1]), traceID: trace)
    }

    private static func charge(of user: UserID, _ random: inout SplitMix64) -> Command.Action {
        let amount = Won(
            .random(in: 1_000...(random.chance(90) ? 8_000 : 1_000_000), using: &random))
        guard let amount = try? ChargeAmount(amount) else { preconditionFailure("\(amount)") }
        return .charge(user: user, amount)
    }

    /// Of the user whose order it is, mostly.
    private static func cancel(
        by user: UserID, on snapshot: Snapshot, _ random: inout SplitMix64
    ) -> Command.Action {
        let order = OrderID(.random(in: 0...Int64(snapshot.orders.count), using: &random))
        let owner = snapshot.orders[order]?.order.user ?? user
        return .cancel(user: random.chance(95) ? owner : user, order)
    }

    private static func order(
        of user: UserID, on snapshot: Snapshot, _ random: inout SplitMix64
    ) -> Command.Action {
        let known = Int64(snapshot.products.count)
        let lines = (1...Int.random(in: 1...4, using: &random)).map { _ in
            Cart.Line(
                product: ProductID(
                    .random(in: 1...(known + (random.chance(10) ? 1 : 0)), using: &random)),
                quantity: .random(in: 1...3, using: &random))
        }
        guard let cart = try? Cart(lines) else { preconditionFailure("\(lines)") }
        let total = lines.reduce(Int64(0)) { sum, line in
            sum + (snapshot.products[line.product]?.price.amount ?? 0) * line.quantity
        }
        let payment = random.chance(90) ? total : .random(in: 0...10_000, using: &random)
        return .order(user: user, cart, payment: Won(payment))
    }

    private static func key(
        _ text: String, of user: UserID, _ scope: Idempotency.Scope
    ) -> Idempotency.Key {
        Idempotency.Key(user: user, scope: scope, text: text)
    }
}
