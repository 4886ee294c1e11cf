import Glibc
import Synchronization

/// The signals that ask for a stop, taken one at a time by the main thread.
///
/// They are SIGTERM, SIGINT, SIGQUIT and SIGHUP, which a closed terminal sends, unless the process was
/// started to outlive its terminal, as by `nohup`. Made before the first thread, so that every thread
/// inherits the block and only ``wait(_:)`` ever sees them.
///
/// Other signals that end a process by default are ignored: they mean nothing to this one. A peer that
/// has gone is an error of `write` and not our end (SIGPIPE), as is a file that has grown to the
/// limit of the process (SIGXFSZ).
public final class StopSignals: Sendable {
    /// How often the waiting thread looks after other things.
    private static let tickNanoseconds = 20_000_000

    private static let ignored = [
        SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO,
    ]

    private let signals: sigset_t
    private let stop = Atomic<Bool>(false)

    public init() {
        for number in Self.ignored { signal(number, SIG_IGN) }
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGINT, SIGQUIT] { sigaddset(&signals, number) }
        if !Self.outlivesTerminal { sigaddset(&signals, SIGHUP) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        self.signals = signals
    }

    private static var outlivesTerminal: Bool {
        var present = sigaction()
        sigaction(SIGHUP, nil, &present)
        let handler = present.__sigaction_handler.sa_handler
        return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// Whether a signal has come: the process serves on, but asks for no more.
    public var haveCome: Bool { stop.load(ordering: .relaxed) }

    /// Blocks until the first signal; calls `tick` meanwhile.
    public func wait(_ tick: () -> Void) {
        while next() == nil { tick() }
    }

    /// Blocks until `isDone` or the time is over. A second signal ends the process at once, unless it
    /// is SIGHUP: the kernel and the shell both send one when a terminal is closed.
    public func wait(seconds: Int, _ isDone: () -> Bool) -> Bool {
        let ticks = seconds * 1_000_000_000 / Self.tickNanoseconds
        for _ in 0..<ticks {
            if isDone() { return true }
            if let signal = next(), signal != SIGHUP { _exit(EXIT_FAILURE) }
        }
        return isDone()
    }

    /// Blocks until the first signal or until the time is over.
    ///
    /// - Returns: whether a signal has come.
    public func pause(seconds: Int) -> Bool {
        let ticks = seconds * 1_000_000_000 / Self.tickNanoseconds
        return (0..<ticks).contains { _ in next() != nil }
    }

    /// Waits at most one tick.
    private func next() -> Int32? {
        var signals = signals
        var tick = timespec(tv_sec: 0, tv_nsec: Self.tickNanoseconds)
        let signal = sigtimedwait(&signals, nil, &tick)
        guard signal > 0 else { return nil }
        stop.store(true, ordering: .relaxed)
        return signal
    }
}
