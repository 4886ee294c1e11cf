/// A customer of the shop, with the points that orders are paid from.
public struct User: Hashable, Sendable {
    public let id: UserID
    public let name: String
    /// The phone number that notifications go to (`hpNo` in the customer's API).
    public let phone: String
    public var points: Won
    /// Grows by one with every committed change of the points: the optimistic lock.
    public let version: Int64

    public init(id: UserID, name: String, phone: String, points: Won, version: Int64) {
        self.id = id
        self.name = name
        self.phone = phone
        self.points = points
        self.version = version
    }
}
