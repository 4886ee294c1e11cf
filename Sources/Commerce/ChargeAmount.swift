/// The points that one charge may add: from 1,000 to 1,000,000 won, both allowed.
public struct ChargeAmount: Hashable, Sendable {
    public static let minimum = Won(1_000)
    public static let maximum = Won(1_000_000)

    public let won: Won

    /// - Throws: ``Refusal/chargeBelowMinimum`` (zero and negative amounts too) or
    ///   ``Refusal/chargeAboveMaximum``.
    public init(_ won: Won) throws(Refusal) {
        guard won >= Self.minimum else { throw .chargeBelowMinimum }
        guard won <= Self.maximum else { throw .chargeAboveMaximum }
        self.won = won
    }
}
