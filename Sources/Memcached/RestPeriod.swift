import Synchronization

/// Decides who may talk to memcached after a failure: nobody for a while, then one to try, then all
/// again. Takes the time from its caller and locks nothing.
final class RestPeriod: Sendable {
    /// Nanoseconds without a request after a failure: long enough that a dead memcached costs one
    /// time-out in two seconds instead of one a request, short enough to be missed by nobody.
    static let nanoseconds: UInt64 = 2_000_000_000

    /// What an admitted caller brings back.
    struct Ticket: Equatable {
        /// The end of the rest period it may cut short by succeeding; 0 if there was none.
        fileprivate let endsAt: UInt64
    }

    /// When the rest ends, on the caller's clock; 0 while memcached is well.
    private let endsAt = Atomic<UInt64>(0)

    /// Whether a rest period is running or waits for its probe.
    var isResting: Bool { endsAt.load(ordering: .relaxed) != 0 }

    /// Lets a caller through while memcached is well, and one caller when the rest is over: the
    /// rest of the others is prolonged until that one has come back.
    func admit(now: UInt64) -> Ticket? {
        let end = endsAt.load(ordering: .relaxed)
        if end == 0 { return Ticket(endsAt: 0) }
        guard now >= end else { return nil }
        let prolonged = now + Self.nanoseconds
        let claim = endsAt.compareExchange(
            expected: end, desired: prolonged, ordering: .relaxed)
        return claim.exchanged ? Ticket(endsAt: prolonged) : nil
    }

    /// An admitted caller was answered. Only the one who tried ends the rest: an answer that was
    /// under way when another request failed proves nothing.
    func succeeded(_ ticket: Ticket) {
        guard ticket.endsAt != 0 else { return }
        _ = endsAt.compareExchange(expected: ticket.endsAt, desired: 0, ordering: .relaxed)
    }

    /// An admitted caller failed.
    func failed(now: UInt64) { endsAt.store(now + Self.nanoseconds, ordering: .relaxed) }
}
