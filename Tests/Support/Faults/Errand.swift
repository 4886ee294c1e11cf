/// What a client sets out to do, decided by the seed alone.
struct Errand: Sendable {
    enum Wish: Sendable {
        case order(user: Int, lines: [Line], payment: Int)
        case charge(user: Int, amount: Int)
        /// Cancels what the client's errand of this number has ordered.
        case cancel(orderOf: Int)
        case look(at: Sight)
    }

    struct Line: Sendable, Hashable {
        let product: Int
        let quantity: Int
    }

    enum Sight: Sendable {
        case balance(Int)
        case product(Int)
        case bestSellers
        case orders(Int)
        /// What the client's errand of this number has ordered.
        case order(of: Int)
    }

    /// How a client goes about it.
    enum Manner: Sendable {
        case once
        /// Sends it again until it knows, as a client with a key should; a few times at most.
        case persistently
        /// Sends the same twice at the same time.
        case twiceAtOnce
        /// Sends the same again some errands later.
        case againLater
        /// Sends another body with the same key at once.
        case withAnotherBody
    }

    let number: Int
    let wish: Wish
    let manner: Manner
    let hasKey: Bool
    let pauseMilliseconds: Int
}

/// The errands of one client, one after the other without an end.
struct Errands: Sendable {
    /// How far back a client remembers what it has ordered.
    private static let memory = 40
    /// The demo's products, and their prices; a few that run out, and one that is not there.
    static let prices = [
        25: 2_500, 26: 3_500, 27: 4_000, 28: 4_500, 30: 6_500, 101: 2_000, 102: 2_000, 103: 2_000,
        104: 2_000, 105: 2_000, 106: 5_900, 107: 8_900, 999: 1_000,
    ]
    private static let plenty = [101, 102, 103, 104]
    private static let scarce = [25, 26, 27, 28, 105, 106, 107]
    static let users = 1...100

    private var dice: Dice
    private var number = 0

    init(seed: UInt64, client: Int) { dice = Dice(seed: seed, "client \(client)") }

    mutating func next() -> Errand {
        number += 1
        let wish = makeWish()
        let manner: Errand.Manner
        switch dice.number(1...100) {
        case ...45: manner = .once
        case ...80: manner = .persistently
        case ...88: manner = .twiceAtOnce
        case ...95: manner = .againLater
        default: manner = .withAnotherBody
        }
        var hasKey = true
        if case .order = wish, case .once = manner { hasKey = dice.happens(percent: 50) }
        return Errand(
            number: number, wish: wish, manner: manner, hasKey: hasKey,
            pauseMilliseconds: dice.number(20...220))
    }

    private mutating func makeWish() -> Errand.Wish {
        switch dice.number(1...100) {
        case ...46: makeOrder()
        case ...67: .charge(user: dice.number(Self.users), amount: makeAmount())
        case ...75: .cancel(orderOf: earlier)
        default: .look(at: makeSight())
        }
    }

    private var earlier: Int {
        mutating get { max(1, number - dice.number(1...Self.memory)) }
    }

    /// Now and then one that is refused.
    private mutating func makeAmount() -> Int {
        dice.happens(percent: 4) ? dice.pick([999, 1_000_001, -5]) : dice.number(1...25) * 1_000
    }

    private mutating func makeOrder() -> Errand.Wish {
        var lines: [Errand.Line]
        switch dice.number(1...100) {
        case ...30:  // The opposite carts.
            let pair = dice.happens(percent: 50) ? [101, 102] : [102, 101]
            lines = pair.map { Errand.Line(product: $0, quantity: 1) }
        case ...80:
            lines = [Errand.Line(product: dice.pick(Self.plenty), quantity: dice.number(1...3))]
        case ...97:
            lines = [Errand.Line(product: dice.pick(Self.scarce), quantity: dice.number(1...3))]
        default:
            lines = [Errand.Line(product: dice.pick([30, 999]), quantity: 1)]
        }
        var payment = lines.map { Self.prices[$0.product, default: 0] * $0.quantity }.reduce(0, +)
        if dice.happens(percent: 2) { payment += 1 }
        return .order(user: dice.number(Self.users), lines: lines, payment: payment)
    }

    private mutating func makeSight() -> Errand.Sight {
        switch dice.number(1...100) {
        case ...30: .balance(dice.number(Self.users))
        case ...55: .product(dice.pick(Self.plenty + Self.scarce))
        case ...65: .bestSellers
        case ...75: .orders(dice.number(Self.users))
        default: .order(of: earlier)
        }
    }
}
