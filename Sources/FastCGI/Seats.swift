import Glibc

/// The right to wait for events, which only as many workers have as there are processors.
///
/// Were all workers waiting, each request would wake another thread, and the processors would be
/// busy changing threads: measured at 32 connections, 2 seats answer nearly twice as many short
/// requests as 128. So a worker keeps its seat from request to request, and parts with it only when
/// its handler is about to block; then the next worker sits down.
final class Seats: @unchecked Sendable {  // A semaphore is made for threads to share.
    private let free: UnsafeMutablePointer<sem_t>

    init(count: Int) {
        precondition(count > 0)
        free = .allocate(capacity: 1)
        sem_init(free, 0, UInt32(count))
    }

    deinit {
        sem_destroy(free)
        free.deallocate()
    }

    fileprivate func take() {
        while sem_wait(free) != 0 {}  // Interrupted by a signal: wait on.
    }

    fileprivate func give() {
        sem_post(free)
    }
}

/// One worker's seat, if it has one.
public final class Seat {
    private let seats: Seats
    private var isTaken = false

    init(among seats: Seats) {
        self.seats = seats
    }

    /// Waits for a seat to be free, unless this worker still has one.
    func take() {
        if isTaken { return }
        seats.take()
        isTaken = true
    }

    /// Lets another worker wait for events. A handler calls this before it waits for anything that
    /// may take longer than the cache's answer.
    public func giveUp() {
        guard isTaken else { return }
        isTaken = false
        seats.give()
    }
}
