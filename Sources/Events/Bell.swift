import Threads

/// What a thread of the worker waits for: that somebody rings, or that it is to stop.
final class Bell: Sendable {
    private struct State {
        var isRung = false
        var isStopped = false
    }

    private let state = Monitor(State())

    /// Wakes the thread: now, or as soon as it waits.
    func ring() { state.update { $0.isRung = true } }

    /// Tells the thread to stop. It does not wait any more.
    func stop() { state.update { $0.isStopped = true } }

    var isStopped: Bool { state.update { $0.isStopped } }

    /// Waits until it rings, or for the time; a ring is used up.
    ///
    /// - Returns: whether to go on.
    func wait(milliseconds: Int) -> Bool {
        _ = state.take(withinMilliseconds: milliseconds) { state, _ -> Void? in
            guard state.isRung || state.isStopped else { return nil }
            state.isRung = false
            return ()
        }
        return !isStopped
    }

    /// Waits for the time, whoever rings meanwhile.
    func pause(milliseconds: Int) {
        _ = state.take(withinMilliseconds: milliseconds) { state, _ -> Void? in
            state.isStopped ? () : nil
        }
    }
}
