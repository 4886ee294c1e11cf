@testable import Commerce

/// A shop in memory: it plans commands and keeps what the plan writes, as the store does.
struct TestShop {
    private(set) var snapshot: Snapshot
    private var numbers = Numbers()

    init(
        _ users: [User] = [], _ products: [Product] = [], _ orders: [PlacedOrder] = []
    ) {
        snapshot = Snapshot(
            users: Dictionary(uniqueKeysWithValues: users.map { ($0.id, $0) }),
            products: Dictionary(uniqueKeysWithValues: products.map { ($0.id, $0) }),
            orders: Dictionary(uniqueKeysWithValues: orders.map { ($0.order.id, $0) }))
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
        for order in plan.writes.orders {
            snapshot.orders[order.id] = PlacedOrder(
                order, status: .paid, version: 0, placedAt: moment)
        }
        for placed in plan.writes.canceled {
            snapshot.orders[placed.order.id] = PlacedOrder(
                placed.order, status: .canceled, version: placed.version + 1,
                placedAt: placed.placedAt)
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
    _ number: Int64, price: Int64 = 1_000, stock: Int64 = 10, version: Int64 = 1,
    isOnSale: Bool = true
) -> Product {
    Product(
        id: ProductID(number), name: "샐러드", price: Won(price), stock: stock,
        version: Product.Version(stock: version, product: 1), isOnSale: isOnSale)
}

let moment = Moment("2026-01-31 23:59:59.123456")

/// An order as the database has it; the lines are (product, quantity, price).
func placed(
    _ number: Int64, of user: Int64, _ lines: [(Int64, Int64, Int64)],
    status: PlacedOrder.Status = .paid, version: Int64 = 0
) -> PlacedOrder {
    let lines = lines.map { product, quantity, price in
        Order.Line(product: ProductID(product), quantity: quantity, price: Won(price))
    }
    let total = lines.reduce(Won.zero) { $0 + $1.price * $1.quantity }
    return PlacedOrder(
        Order(id: OrderID(number), user: UserID(user), lines: lines, total: total),
        status: status, version: version, placedAt: moment)
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

func cancel(
    _ order: Int64, of user: Int64, key: String? = nil, fingerprint: UInt8 = 0
) -> Command {
    let idempotency = key.map {
        Idempotency(
            key: Idempotency.Key(
                user: UserID(user), scope: .cancel(OrderID(order)), text: $0),
            fingerprint: [fingerprint])
    }
    return Command(.cancel(user: UserID(user), OrderID(order)), idempotency: idempotency)
}

extension StoredAnswer {
    /// Stands for what the API renders: another answer for every receipt.
    static func to(_ receipt: Receipt) -> StoredAnswer {
        switch receipt {
        case .charged(let user):
            StoredAnswer(status: 200, body: Array("\(user.id) has \(user.points)".utf8))
        case .ordered(let order):
            StoredAnswer(status: 200, body: Array("order \(order)".utf8))
        case .canceled(let order):
            StoredAnswer(status: 200, body: Array("order \(order) is canceled".utf8))
        }
    }
}

extension Outcome {
    var receipt: Receipt? {
        guard case .accepted(let receipt) = self else { return nil }
        return receipt
    }
}
