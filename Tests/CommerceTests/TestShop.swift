@testable import Commerce

/// A shop in memory: it plans commands and keeps what the plan writes, as the store does.
struct TestShop {
    private(set) var snapshot: Snapshot
    private var numbers = Numbers()

    init(_ users: [User] = [], _ products: [Product] = []) {
        snapshot = Snapshot(
            users: Dictionary(uniqueKeysWithValues: users.map { ($0.id, $0) }),
            products: Dictionary(uniqueKeysWithValues: products.map { ($0.id, $0) }))
        numbers.add(orders: Array(9_001...9_200), payments: Array(7_001...7_200))
    }

    func plan(_ commands: Command...) -> CheckoutPlan { plan(commands) }

    func plan(_ commands: [Command]) -> CheckoutPlan {
        CheckoutPlan(commands, on: snapshot, drawing: numbers)
    }

    /// The only outcome of a batch of one.
    func outcome(_ command: Command) -> Outcome { plan(command).outcomes[0] }

    /// Plans the commands and commits what is written: versions grow, keys are kept with the
    /// answers.
    mutating func submit(_ commands: Command...) -> [Outcome] {
        let plan = plan(commands)
        numbers = plan.numbers
        for user in plan.writes.users.values {
            snapshot.users[user.id] = User(
                id: user.id, name: user.name, phone: user.phone, points: user.points,
                version: user.version + 1)
        }
        for product in plan.writes.products.values {
            snapshot.products[product.id] = product.committed
        }
        for key in plan.writes.keys {
            snapshot.keys[key.idempotency.key] = Snapshot.KeyRecord(
                fingerprint: key.idempotency.fingerprint, answer: .to(key.receipt))
        }
        return plan.outcomes
    }
}

func user(_ number: Int64, points: Int64, version: Int64 = 1) -> User {
    User(
        id: UserID(number), name: "김테스트", phone: "010-1234-4112", points: Won(points),
        version: version)
}

func product(
    _ number: Int64, price: Int64 = 1_000, stock: Int64 = 10, version: Int64 = 1
) -> Product {
    Product(
        id: ProductID(number), name: "샐러드", price: Won(price), stock: stock,
        version: Product.Version(stock: version, product: 1))
}

func line(_ product: Int64, _ quantity: Int64) -> Cart.Line {
    Cart.Line(product: ProductID(product), quantity: quantity)
}

func charge(
    _ user: Int64, _ amount: Int64, key: String? = nil, fingerprint: UInt8 = 0
) throws -> Command {
    let idempotency = key.map {
        Idempotency(
            key: Idempotency.Key(user: UserID(user), scope: .charge, text: $0),
            fingerprint: [fingerprint])
    }
    return Command(
        .charge(user: UserID(user), try ChargeAmount(Won(amount))), idempotency: idempotency)
}

func order(
    _ user: Int64, _ lines: Cart.Line..., paying payment: Int64, key: String? = nil,
    fingerprint: UInt8 = 0
) throws -> Command {
    let idempotency = key.map {
        Idempotency(
            key: Idempotency.Key(user: UserID(user), scope: .order, text: $0),
            fingerprint: [fingerprint])
    }
    return Command(
        .order(user: UserID(user), try Cart(lines), payment: Won(payment)),
        idempotency: idempotency)
}

extension StoredAnswer {
    /// Stands for what the API renders: another answer for every receipt.
    static func to(_ receipt: Receipt) -> StoredAnswer {
        switch receipt {
        case .charged(let user):
            StoredAnswer(status: 200, body: Array("\(user.id) has \(user.points)".utf8))
        case .ordered(let order):
            StoredAnswer(status: 200, body: Array("order \(order)".utf8))
        }
    }
}

extension Outcome {
    var receipt: Receipt? {
        guard case .accepted(let receipt) = self else { return nil }
        return receipt
    }
}
