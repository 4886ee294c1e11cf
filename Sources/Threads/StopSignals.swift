import Glibc
import Synchronization

/// SIGTERM and SIGINT, taken one at a time by the main thread.
///
/// Made before the first thread, so that every thread inherits the block and only ``wait(_:)`` ever
/// sees them. SIGPIPE and SIGXFSZ are ignored: a peer that
/// has gone and a file that may not grow are errors of `write`, not our end.
public final class StopSignals: Sendable {
    /// How often the waiting thread looks after other things.
    private static let tickNanoseconds = 20_000_000

    private let stop = Atomic<Bool>(false)

    public init() {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        var signals = Self.signals
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Whether a signal has come: the process serves on, but asks for no more.
    public var haveCome: Bool { stop.load(ordering: .relaxed) }

    private static var signals: sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        return signals
    }

    /// Blocks until the first signal; calls `tick` meanwhile.
    public func wait(_ tick: () -> Void) {
        while !hasArrived() { tick() }
    }

    /// Blocks until `isDone` or the time is over. A second signal ends the process at once.
    public func wait(seconds: Int, _ isDone: () -> Bool) -> Bool {
        let ticks = seconds * 1_000_000_000 / Self.tickNanoseconds
        for _ in 0..<ticks {
            if isDone() { return true }
            if hasArrived() { _exit(EXIT_FAILURE) }
        }
        return isDone()
    }

    /// Blocks until the first signal or until the time is over.
    ///
    /// - Returns: whether a signal has come.
    public func pause(seconds: Int) -> Bool {
        let ticks = seconds * 1_000_000_000 / Self.tickNanoseconds
        return (0..<ticks).contains { _ in hasArrived() }
    }

    /// Waits at most one tick.
    private func hasArrived() -> Bool {
        var signals = Self.signals
        var tick = timespec(tv_sec: 0, tv_nsec: Self.tickNanoseconds)
        guard sigtimedwait(&signals, nil, &tick) > 0 else { return false }
        stop.store(true, ordering: .relaxed)
        return true
    }
}
