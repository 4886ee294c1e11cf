import Testing

@testable import Commerce

/// What holds for every batch, checked on random ones. A failure names the seed that shows it again.
@Suite struct EveryPlan {
    @Test func `has one outcome for each command`() {
        for batch in RandomBatch.all {
            #expect(batch.plan.outcomes.count == batch.commands.count, "\(batch)")
        }
    }

    @Test func `leaves no stock and no points below zero, and no balance above the maximum`() {
        for batch in RandomBatch.all {
            let writes = batch.plan.writes
            #expect(writes.products.values.allSatisfy { $0.stock >= 0 }, "\(batch)")
            #expect(
                writes.users.values.allSatisfy { (.zero ... .maximumBalance).contains($0.points) },
                "\(batch)")
        }
    }

    @Test func `conserves won, of each user: points before and after differ by what was paid`() {
        for batch in RandomBatch.all {
            let writes = batch.plan.writes
            for (id, before) in batch.snapshot.users {
                let after = writes.users[id] ?? before
                #expect(after.points == before.points + writes.balance(of: id), "\(batch)")
            }
            #expect(
                writes.orders.allSatisfy { order in
                    order.total == order.lines.reduce(.zero) { $0 + $1.price * $1.quantity }
                }, "\(batch)")
        }
    }

    @Test func `conserves units, of each product: those before, sold and returned are those after`()
    {
        for batch in RandomBatch.all {
            let writes = batch.plan.writes
            var sold: [ProductID: Int64] = [:]
            for line in writes.orders.flatMap(\.lines) {
                sold[line.product, default: 0] += line.quantity
            }
            #expect(writes.unitsSold == sold, "\(batch)")
            var returned: [ProductID: Int64] = [:]
            for line in writes.canceled.flatMap(\.order.lines) {
                returned[line.product, default: 0] += line.quantity
            }
            for (id, before) in batch.snapshot.products {
                let after = writes.products[id] ?? before
                let expected = before.stock - (sold[id] ?? 0) + (returned[id] ?? 0)
                #expect(after.stock == expected, "\(batch)")
            }
        }
    }

    @Test func `touches exactly the users and products of its orders, cancels and charges`() {
        for batch in RandomBatch.all {
            let writes = batch.plan.writes
            #expect(Set(writes.users.keys) == Set(writes.payments.map(\.user)), "\(batch)")
            let lines = (writes.orders + writes.canceled.map(\.order)).flatMap(\.lines)
            #expect(Set(writes.products.keys) == Set(lines.map(\.product)), "\(batch)")
        }
    }

    @Test func `changes only points and stock of a row, and carries the version that was read`() {
        for batch in RandomBatch.all {
            for (id, after) in batch.plan.writes.users {
                var expected = batch.snapshot.users[id]
                expected?.points = after.points
                #expect(after == expected, "\(batch)")
            }
            for (id, after) in batch.plan.writes.products {
                var expected = batch.snapshot.products[id]
                expected?.stock = after.stock
                #expect(after == expected, "\(batch)")
            }
        }
    }

    @Test func `sells at the price in the snapshot, to the buyer and the cart of the command`() {
        for batch in RandomBatch.all {
            let orders = Dictionary(
                uniqueKeysWithValues: batch.plan.writes.orders.map { ($0.id, $0) })
            for (command, outcome) in zip(batch.commands, batch.plan.outcomes) {
                guard case .accepted(.ordered(let id)) = outcome else { continue }
                let order = orders[id]
                #expect(order?.user == command.user, "\(batch)")
                #expect(
                    order?.lines.map { Cart.Line(product: $0.product, quantity: $0.quantity) }
                        == command.cart?.lines, "\(batch)")
                #expect(
                    order?.lines.allSatisfy {
                        $0.price == batch.snapshot.products[$0.product]?.price
                    } == true, "\(batch)")
            }
        }
    }

    @Test func `cancels paid orders of their users, each once, and gives back what was paid`() {
        for batch in RandomBatch.all {
            let plan = batch.plan
            let canceled = plan.writes.canceled
            #expect(Set(canceled.map(\.order.id)).count == canceled.count, "\(batch)")
            for placed in canceled {
                #expect(placed == batch.snapshot.orders[placed.order.id], "\(batch)")
                #expect(placed.status == .paid, "\(batch)")
            }
            let refunds = plan.writes.payments.filter { $0.refunded != nil }
            #expect(refunds.map(\.refunded) == canceled.map(\.order.id), "\(batch)")
            #expect(refunds.map(\.amount) == canceled.map(\.order.total), "\(batch)")
            #expect(refunds.map(\.user) == canceled.map(\.order.user), "\(batch)")
            let told = zip(batch.commands, plan.outcomes).filter { command, outcome in
                command.canceledOrder != nil && outcome.receipt != nil
            }
            #expect(told.map(\.0.canceledOrder) == canceled.map(\.order.id), "\(batch)")
            #expect(
                told.map(\.1) == canceled.map { .accepted(.canceled($0.order.id)) }, "\(batch)")
        }
    }

    @Test func `pays each accepted command once, under numbers of its own`() {
        for batch in RandomBatch.all {
            let plan = batch.plan
            let writes = plan.writes
            let accepted = plan.outcomes.compactMap(\.receipt)
            #expect(writes.payments.count == accepted.count, "\(batch)")
            #expect(writes.isEmpty == accepted.isEmpty, "\(batch)")
            #expect(Set(writes.payments.map(\.id)).count == writes.payments.count, "\(batch)")
            #expect(Set(writes.orders.map(\.id)).count == writes.orders.count, "\(batch)")
            let ordered = writes.payments.compactMap(\.order)
            #expect(ordered == writes.orders.map(\.id), "\(batch)")
            #expect(accepted.compactMap(\.order) == writes.orders.map(\.id), "\(batch)")
            let drawn = batch.numbers
            #expect(
                plan.numbers.paymentNumbers == drawn.paymentNumbers.dropFirst(accepted.count),
                "\(batch)")
            #expect(
                plan.numbers.orderNumbers == drawn.orderNumbers.dropFirst(ordered.count), "\(batch)"
            )
        }
    }

    @Test func `tells each accepted command in one event, in order, under its trace`() {
        for batch in RandomBatch.all {
            let plan = batch.plan
            let events = plan.writes.events
            let accepted = zip(batch.commands, plan.outcomes).filter { $0.1.receipt != nil }
            #expect(events.map(\.traceID) == accepted.map(\.0.traceID), "\(batch)")
            #expect(events.map(\.type) == accepted.compactMap(\.1.receipt?.told), "\(batch)")
            #expect(
                events.map(\.aggregateID) == accepted.compactMap(\.1.receipt?.about), "\(batch)")
        }
    }

    @Test func `accepts each idempotency key at most once, and none that was used before`() {
        for batch in RandomBatch.all {
            let plan = batch.plan
            let keys = plan.writes.keys.map(\.idempotency.key)
            #expect(Set(keys).count == keys.count, "\(batch)")
            #expect(keys.allSatisfy { batch.snapshot.keys[$0] == nil }, "\(batch)")
            let accepted = zip(batch.commands, plan.outcomes).filter { $0.1.receipt != nil }
            #expect(
                accepted.compactMap(\.0.idempotency) == plan.writes.keys.map(\.idempotency),
                "\(batch)")
        }
    }

    @Test func `is the same without the commands that were not accepted`() {
        for batch in RandomBatch.all {
            let plan = batch.plan
            let accepted = zip(batch.commands, plan.outcomes).filter { $0.1.receipt != nil }
            let alone = CheckoutPlan(
                accepted.map(\.0), on: batch.snapshot, drawing: batch.numbers)
            #expect(alone.outcomes == accepted.map(\.1), "\(batch)")
            #expect(alone.writes.comparable == plan.writes.comparable, "\(batch)")
        }
    }

    @Test func `is what its commands come to when they are planned one by one`() {
        for batch in RandomBatch.all {
            let whole = batch.plan
            var single = OneByOne(batch)
            for (command, outcome) in zip(batch.commands, whole.outcomes) {
                let alone = single.decide(command)
                if case .replayed(let answer) = alone, outcome == .inProgress {
                    // The first of the two is answered by now.
                    let key = command.idempotency?.key
                    #expect(answer == key.flatMap { single.answers[$0] }, "\(batch)")
                } else {
                    #expect(alone == outcome, "\(batch)")
                }
            }
            #expect(single.writes == whole.writes.comparable, "\(batch)")
        }
    }

    @Test func `meets every outcome and every refusal among the random batches`() {
        var met: Set<String> = []
        for batch in RandomBatch.all { met.formUnion(batch.plan.outcomes.map(\.kind)) }
        let expected: Set = [
            "charged", "ordered", "canceled", "replayed", "inProgress", "keyReused", "unknownUser",
            "chargeAboveMaximum", "unknownProduct", "priceMismatch", "outOfStock",
            "insufficientPoints", "unknownOrder", "orderNotCancelable",
        ]
        #expect(met == expected, "COMMERCE_TEST_SEED=\(RandomBatch.firstSeed)")
    }
}

/// A batch planned one command at a time, each on the snapshot that the one before left.
///
/// The versions stay those of the first snapshot, as they do within one batch.
private struct OneByOne {
    private(set) var writes = ComparableWrites()
    private(set) var answers: [Idempotency.Key: StoredAnswer] = [:]
    private var snapshot: Snapshot
    private var numbers: Numbers

    init(_ batch: RandomBatch) {
        snapshot = batch.snapshot
        numbers = batch.numbers
    }

    mutating func decide(_ command: Command) -> Outcome {
        let plan = CheckoutPlan([command], on: snapshot, drawing: numbers)
        numbers = plan.numbers
        snapshot.users.merge(plan.writes.users) { $1 }
        snapshot.products.merge(plan.writes.products) { $1 }
        for placed in plan.writes.canceled {
            snapshot.orders[placed.order.id]?.status = .canceled
        }
        for key in plan.writes.keys {
            let answer = StoredAnswer.to(key.receipt)
            answers[key.idempotency.key] = answer
            snapshot.keys[key.idempotency.key] = Snapshot.KeyRecord(
                fingerprint: key.idempotency.fingerprint, answer: answer)
        }
        writes.add(plan.writes.comparable)
        return plan.outcomes[0]
    }
}

/// Everything that ``Writes`` says, as a value to compare and to add up.
private struct ComparableWrites: Equatable {
    var users: [UserID: User] = [:]
    var products: [ProductID: Product] = [:]
    var unitsSold: [ProductID: Int64] = [:]
    var orders: [Order] = []
    var canceled: [PlacedOrder] = []
    var payments: [Payment] = []
    var keys: [Idempotency] = []
    var receipts: [Receipt] = []
    var events: [EventDraft] = []

    mutating func add(_ later: ComparableWrites) {
        users.merge(later.users) { $1 }
        products.merge(later.products) { $1 }
        unitsSold.merge(later.unitsSold, uniquingKeysWith: +)
        orders += later.orders
        canceled += later.canceled
        payments += later.payments
        keys += later.keys
        receipts += later.receipts
        events += later.events
    }
}

extension Writes {
    fileprivate var comparable: ComparableWrites {
        ComparableWrites(
            users: users, products: products, unitsSold: unitsSold, orders: orders,
            canceled: canceled, payments: payments, keys: keys.map(\.idempotency),
            receipts: keys.map(\.receipt), events: events)
    }

    /// What a user has gained: charges and canceled orders less orders.
    fileprivate func balance(of user: UserID) -> Won {
        let charges = payments.filter { $0.user == user && $0.purpose == .charge }
        let charged = charges.reduce(Won.zero) { $0 + $1.amount }
        let returned = canceled.filter { $0.order.user == user }
            .reduce(charged) { $0 + $1.order.total }
        return orders.filter { $0.user == user }.reduce(returned) { $0 - $1.total }
    }
}

extension Payment {
    fileprivate var order: OrderID? {
        switch purpose {
        case .charge, .refund: nil
        case .order(let id): id
        }
    }

    fileprivate var refunded: OrderID? {
        switch purpose {
        case .charge, .order: nil
        case .refund(let id): id
        }
    }
}

extension Receipt {
    /// The event that tells it.
    fileprivate var told: EventType {
        switch self {
        case .charged: .pointsCharged
        case .ordered: .orderPaid
        case .canceled: .orderCancelled
        }
    }

    /// What its event is about.
    fileprivate var about: Int64 {
        switch self {
        case .charged(let user): user.id.number
        case .ordered(let id), .canceled(let id): id.number
        }
    }

    fileprivate var order: OrderID? {
        switch self {
        case .charged, .canceled: nil
        case .ordered(let id): id
        }
    }
}

extension Outcome {
    /// The name of the case, without what it carries.
    fileprivate var kind: String {
        switch self {
        case .accepted(.charged): "charged"
        case .accepted(.ordered): "ordered"
        case .accepted(.canceled): "canceled"
        case .refused(let refusal): String("\(refusal)".prefix { $0 != "(" })
        case .replayed: "replayed"
        case .inProgress: "inProgress"
        case .keyReused: "keyReused"
        }
    }
}
