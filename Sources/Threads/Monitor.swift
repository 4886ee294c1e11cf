import Glibc

/// A state that threads share under one lock, with a bounded wait for it to change.
///
/// `Synchronization.Mutex` has no condition variable, which is what waiting for a free connection
/// or for a commit needs. Unchecked: the state is touched only under the lock.
public final class Monitor<State>: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var state: State

    /// Shares a state.
    public init(_ state: State) {
        self.state = state
        lock = .allocate(capacity: 1)
        pthread_mutex_init(lock, nil)
        changed = .allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(changed, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(changed)
        changed.deallocate()
        pthread_mutex_destroy(lock)
        lock.deallocate()
    }

    /// Changes the state and wakes one waiter.
    public func update<T>(_ body: (inout State) -> T) -> T {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        pthread_cond_signal(changed)
        return body(&state)
    }

    /// Changes the state in a way that nobody waits for: wakes no waiter.
    public func updateQuietly<T>(_ body: (inout State) -> T) -> T {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return body(&state)
    }

    /// Makes one waiter look at the state again.
    public func wakeWaiter() { pthread_cond_signal(changed) }

    /// Tries `take` now and after each change, until it yields something or the time is over.
    public func take<T>(
        withinMilliseconds limit: Int, _ take: (inout State, _ isFirstTry: Bool) -> T?
    ) -> T? {
        var deadline = MonotonicTime.now.advanced(byMilliseconds: limit).timespec
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        if let taken = take(&state, true) { return taken }
        while pthread_cond_timedwait(changed, lock, &deadline) != ETIMEDOUT {
            if let taken = take(&state, false) { return taken }
        }
        return take(&state, false)
    }
}

/// A point of the clock that nobody sets.
public struct MonotonicTime: Comparable, Sendable {
    private var nanoseconds: Int

    /// The point at which it is asked for.
    public static var now: MonotonicTime {
        var time = Glibc.timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: time.tv_sec * 1_000_000_000 + time.tv_nsec)
    }

    fileprivate var timespec: Glibc.timespec {
        Glibc.timespec(tv_sec: nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000)
    }

    /// A later point.
    public func advanced(byMilliseconds count: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: nanoseconds + count * 1_000_000)
    }

    /// Whole milliseconds from this point to another, rounded up; negative when it lies before.
    public func milliseconds(until other: MonotonicTime) -> Int {
        (other.nanoseconds - nanoseconds + 999_999) / 1_000_000
    }

    public static func < (one: MonotonicTime, other: MonotonicTime) -> Bool {
        one.nanoseconds < other.nanoseconds
    }
}
