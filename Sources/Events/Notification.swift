public import Commerce
public import FoundationEssentials

/// What one buyer is told: that an order was paid, or canceled.
public struct Notification: Sendable {
    /// What has happened to the order; the raw value is the event's type.
    public enum Occasion: String, Sendable {
        case paid = "order.paid"
        case cancelled = "order.cancelled"
    }

    /// One kind of product of the order.
    public struct Item: Sendable {
        /// Composed (NFC), and cut to what leaves room for others.
        public let name: String
        public let quantity: Int64
        /// Of all its units.
        public let amount: Won

        init(name: String, quantity: Int64, amount: Won) {
            self.name = name.composed.cut(toUTF16Units: nameUnitsMax)
            self.quantity = quantity
            self.amount = amount
        }
    }

    /// An AlimTalk has at most this many characters. What a provider takes for one is not said, so
    /// UTF-16 units are counted, of which every character has one at least.
    private static let unitsMax = 1_000
    /// Left for the last two lines when items are cut off: a sum has at most 25 characters.
    private static let unitsOfEnding = 60
    /// Of a product's name: as long as the schema lets one be in letters.
    private static let nameUnitsMax = 200

    /// Names the message, too: the same event never makes two.
    public let eventID: UUID
    public let occasion: Occasion
    public let orderID: OrderID
    public let user: UserID
    /// As the buyer wrote it. It goes to the channel and nowhere else, into no log either.
    public let phone: String
    public let items: [Item]
    public let total: Won

    /// The first item and how many there are besides it, for a template with little room.
    public var itemsInBrief: String {
        guard let first = items.first else { return "" }
        return items.count == 1 ? first.name : "\(first.name) 외 \(items.count - 1)건"
    }

    /// The message as the buyer reads it, cut to what an AlimTalk may have.
    public var text: String {
        let (verb, label) =
            switch occasion {
            case .paid: ("결제", "결제 금액")
            case .cancelled: ("취소", "환불 금액")
            }
        // After 번, unlike after a digit, the particle is always the same.
        var text = "[상점] 주문 \(orderID)번이 \(verb)되었습니다."
        for (index, item) in items.enumerated() {
            let line = "\n- \(item.name) \(item.quantity)개 \(item.amount.grouped)원"
            if text.utf16.count + line.utf16.count > Self.unitsMax - Self.unitsOfEnding {
                text += "\n- 외 \(items.count - index)건"
                break
            }
            text += line
        }
        return text + "\n\(label): \(total.grouped)원"
    }
}

/// How messages reach buyers.
public protocol NotificationChannel: Sendable {
    /// Sends each message, or says why not.
    ///
    /// Blocks; every wait inside is bounded, well below the lease of a delivery. A message may come
    /// again although it was sent. A cause names no phone number and no secret.
    ///
    /// - Returns: one result a message, in their order. `rejected`: it will never be taken.
    /// - Throws: ``TargetUnavailable`` when it is not about these messages: none was sent.
    func send(_ notifications: [Notification]) throws(TargetUnavailable) -> [DeliveryResult]

    /// How many messages one call may bring.
    var notificationsMax: Int { get }
}
