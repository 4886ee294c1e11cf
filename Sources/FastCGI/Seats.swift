import Glibc
import Synchronization

/// The right to wait for events and to handle them, which only as many workers have at a time as
/// there are processors.
///
/// Were all workers waiting, each request would wake another thread, and the processors would be
/// busy changing threads: measured at 32 connections, few seats answer nearly twice as many short
/// requests as 128. So a worker keeps its seat from request to request. It loses it when a handler
/// is about to wait for a commit (``Seat/giveUp()``), or when it has spent two ticks on one request
/// (``takeBack()``); then the next worker sits down.
final class Seats: @unchecked Sendable {  // A semaphore is made for threads to share.
    private let free: UnsafeMutablePointer<sem_t>
    private let all = Mutex<[Seat]>([])

    init(count: Int) {
        precondition(count > 0)
        free = .allocate(capacity: 1)
        sem_init(free, 0, UInt32(count))
    }

    deinit {
        sem_destroy(free)
        free.deallocate()
    }

    func makeSeat() -> Seat {
        let seat = Seat(among: self)
        all.withLock { $0.append(seat) }
        return seat
    }

    /// Called at every tick: takes the seat of whoever is still at the request of the last tick.
    func takeBack() {
        all.withLock { seats in
            for seat in seats { seat.takeBackIfSlow() }
        }
    }

    fileprivate func take() {
        while sem_wait(free) != 0 {}  // Interrupted by a signal: wait on.
    }

    fileprivate func give() {
        sem_post(free)
    }
}

/// One worker's seat, if it has one.
public final class Seat: Sendable {
    private enum State: UInt8, AtomicRepresentable {
        case none
        /// Has the seat and waits for an event.
        case waiting
        /// Has the seat and handles a request.
        case handling
        /// The same since the last tick.
        case slow
    }

    /// Outlives this seat's use: whoever has a seat works for the responder that keeps them all.
    private unowned let seats: Seats
    private let state = Atomic<State>(.none)

    fileprivate init(among seats: Seats) {
        self.seats = seats
    }

    /// Waits for a seat to be free, unless this worker still has one.
    func take() {
        if state.exchange(.waiting, ordering: .relaxed) == .none { seats.take() }
    }

    /// Says that the worker has got a request.
    func beginRequest() {
        state.store(.handling, ordering: .relaxed)
    }

    /// Lets another worker wait for events. A handler calls this before it waits for a commit.
    public func giveUp() {
        if state.exchange(.none, ordering: .relaxed) != .none { seats.give() }
    }

    fileprivate func takeBackIfSlow() {
        if exchange(.slow, for: .none) {
            seats.give()
        } else {
            _ = exchange(.handling, for: .slow)
        }
    }

    private func exchange(_ expected: State, for desired: State) -> Bool {
        state.compareExchange(expected: expected, desired: desired, ordering: .relaxed).exchanged
    }
}
