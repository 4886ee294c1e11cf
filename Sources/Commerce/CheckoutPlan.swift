/// Decides a batch of commands against one snapshot, in arrival order.
///
/// Pure, so that every rule of money and stock is tested without a database, and so that a lost
/// race is answered by planning again on fresh rows. A refused command leaves no trace in
/// ``writes``.
public struct CheckoutPlan: Sendable {
    /// One for each command, in the same order.
    public private(set) var outcomes: [Outcome] = []
    public private(set) var writes: Writes
    /// What is left of the numbers.
    public private(set) var numbers: Numbers

    /// The shop as the commands so far leave it.
    private var shop: Snapshot
    private var keysUsedHere: [Idempotency.Key: [UInt8]] = [:]

    /// - Parameters:
    ///   - commands: in arrival order.
    ///   - snapshot: all rows of the users, orders, products and keys that the commands name, and of
    ///     the products in those orders, as far as they exist.
    ///   - numbers: at least one payment number a command and one order number an order.
    public init(_ commands: [Command], on snapshot: Snapshot, drawing numbers: Numbers) {
        shop = snapshot
        writes = Writes()
        self.numbers = numbers
        outcomes.reserveCapacity(commands.count)
        for command in commands {
            outcomes.append(decide(command))
        }
    }

    private mutating func decide(_ command: Command) -> Outcome {
        if let earlier = earlierUse(of: command.idempotency) { return earlier }
        let receipt: Receipt
        do throws(Refusal) {
            receipt = try apply(command)
        } catch {
            return .refused(error)
        }
        if let idempotency = command.idempotency {
            keysUsedHere[idempotency.key] = idempotency.fingerprint
            writes.keys.append(Writes.Key(idempotency: idempotency, receipt: receipt))
        }
        return .accepted(receipt)
    }

    /// Judges the key before the request: a repeated order is answered as the first was, even when
    /// nothing is left in stock now.
    private func earlierUse(of idempotency: Idempotency?) -> Outcome? {
        guard let idempotency else { return nil }
        if let record = shop.keys[idempotency.key] {
            return record.fingerprint == idempotency.fingerprint
                ? .replayed(record.answer) : .keyReused
        }
        if let fingerprint = keysUsedHere[idempotency.key] {
            return fingerprint == idempotency.fingerprint ? .inProgress : .keyReused
        }
        return nil
    }

    private mutating func apply(_ command: Command) throws(Refusal) -> Receipt {
        let trace = command.traceID
        return switch command.action {
        case .charge(let user, let amount): try charge(user, amount, trace)
        case .order(let user, let cart, let payment):
            try order(cart, for: user, paying: payment, trace)
        case .cancel(let user, let id): try cancel(id, of: user, trace)
        }
    }

    private mutating func charge(
        _ id: UserID, _ amount: ChargeAmount, _ trace: TraceID?
    ) throws(Refusal) -> Receipt {
        guard var user = shop.users[id] else { throw .unknownUser }
        guard user.points <= Won.maximumBalance - amount.won else { throw .chargeAboveMaximum }
        user.points = user.points + amount.won
        keep(user)
        let payment = numbers.nextPayment()
        writes.payments.append(
            Payment(id: payment, user: id, amount: amount.won, purpose: .charge))
        writes.events.append(.charged(user, by: amount.won, payment: payment, traceID: trace))
        return .charged(user)
    }

    /// Refuses in the order of the contract: user, product, price, stock, points.
    private mutating func order(
        _ cart: Cart, for id: UserID, paying payment: Won, _ trace: TraceID?
    ) throws(Refusal) -> Receipt {
        guard var user = shop.users[id] else { throw .unknownUser }
        let lines = try price(cart)
        let total = lines.reduce(Won.zero) { sum, line in sum + line.price * line.quantity }
        guard payment == total else { throw .priceMismatch(expected: total) }
        let shortages = shortages(in: cart)
        guard shortages.isEmpty else { throw .outOfStock(shortages) }
        guard user.points >= total else { throw .insufficientPoints }

        user.points = user.points - total
        keep(user)
        for line in lines { sell(line) }
        let order = Order(id: numbers.nextOrder(), user: id, lines: lines, total: total)
        writes.orders.append(order)
        writes.payments.append(
            Payment(
                id: numbers.nextPayment(), user: id, amount: total, purpose: .order(order.id)))
        writes.events.append(.paid(order, traceID: trace))
        return .ordered(order.id)
    }

    /// Undoes what the order did, at the prices of that time.
    private mutating func cancel(
        _ id: OrderID, of buyer: UserID, _ trace: TraceID?
    ) throws(Refusal) -> Receipt {
        guard var placed = shop.orders[id], placed.order.user == buyer else {
            throw .unknownOrder
        }
        guard var user = shop.users[buyer] else { throw .unknownUser }
        let order = placed.order
        guard placed.status == .paid, user.points <= Won.maximumBalance - order.total,
            order.lines.allSatisfy(hasRoom)
        else { throw .orderNotCancelable }

        writes.canceled.append(placed)
        placed.status = .canceled
        shop.orders[id] = placed
        user.points = user.points + order.total
        keep(user)
        for line in order.lines { takeBack(line) }
        writes.payments.append(
            Payment(
                id: numbers.nextPayment(), user: buyer, amount: order.total, purpose: .refund(id)))
        writes.events.append(.cancelled(order, traceID: trace))
        return .canceled(id)
    }

    private func price(_ cart: Cart) throws(Refusal) -> [Order.Line] {
        var lines: [Order.Line] = []
        lines.reserveCapacity(cart.lines.count)
        for line in cart.lines {
            guard let product = shop.products[line.product], product.isOnSale else {
                throw .unknownProduct
            }
            lines.append(
                Order.Line(product: product.id, quantity: line.quantity, price: product.price))
        }
        return lines
    }

    private func shortages(in cart: Cart) -> [Shortage] {
        cart.lines.compactMap { line in
            let available = shop.products[line.product]?.stock ?? 0
            guard available < line.quantity else { return nil }
            return Shortage(
                product: line.product, requested: line.quantity, available: available)
        }
    }

    private mutating func keep(_ user: User) {
        shop.users[user.id] = user
        writes.users[user.id] = user
    }

    private mutating func sell(_ line: Order.Line) {
        guard var product = shop.products[line.product] else { return }
        product.stock -= line.quantity
        keep(product)
        writes.unitsSold[line.product, default: 0] += line.quantity
    }

    private func hasRoom(for line: Order.Line) -> Bool {
        guard let product = shop.products[line.product] else { return false }
        return product.stock <= Product.stockMax - line.quantity
    }

    private mutating func takeBack(_ line: Order.Line) {
        guard var product = shop.products[line.product] else { return }
        product.stock += line.quantity
        keep(product)
    }

    private mutating func keep(_ product: Product) {
        shop.products[product.id] = product
        writes.products[product.id] = product
    }
}
