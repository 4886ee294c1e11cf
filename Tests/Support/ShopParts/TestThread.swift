import Dispatch
import Glibc
import Synchronization

/// A thread of a test: its clients block, which Swift's cooperative pool must never do.
package final class TestThread: Sendable {
    private let thread: pthread_t

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    package init(_ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Body(body)).toOpaque()
        let code = pthread_create(
            &thread, nil,
            { context in
                Unmanaged<Body>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, context)
        precondition(code == 0, "no thread to be had")
        self.thread = thread
    }

    /// A thread that nobody waits for, and that leaves nothing behind.
    package static func detached(_ body: @escaping @Sendable () -> Void) {
        pthread_detach(TestThread(body).thread)
    }

    /// Waits for its end. Call it once.
    package func join() { pthread_join(thread, nil) }
}

/// Work that goes on beside the test, and its result.
package final class Beside<T: Sendable>: Sendable {
    private let result = Mutex<Result<T, any Error>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    package init(_ body: @escaping @Sendable () throws -> T) {
        TestThread.detached {
            let result = Result { try body() }
            self.result.withLock { $0 = result }
            self.done.signal()
        }
    }

    package var isDone: Bool { result.withLock { $0 != nil } }

    /// Waits for the result.
    package func value(within seconds: Double = 60) throws -> T {
        guard let result = eventually(within: seconds, { result.withLock { $0 } }) else {
            throw Failure("not done within \(seconds) s")
        }
        return try result.get()
    }
}

/// A value that several threads share.
package final class Shared<T>: Sendable {
    private let value: Mutex<T>

    package init(_ value: sending T) { self.value = Mutex(value) }

    package func withLock<R>(_ body: (inout sending T) throws -> sending R) rethrows -> sending R {
        try value.withLock(body)
    }
}

/// A number that several threads count up.
package final class Tally: Sendable {
    private let number = Atomic<Int>(0)

    package init() {}

    package var count: Int { number.load(ordering: .sequentiallyConsistent) }

    /// - Returns: the number before.
    @discardableResult
    package func add() -> Int { number.add(1, ordering: .sequentiallyConsistent).oldValue }
}

/// Runs `body` for each number below `count`, on `threads` threads that begin together.
///
/// - Parameter makeState: makes what each thread keeps for itself, such as a client.
/// - Returns: the results in the order of the numbers.
/// - Throws: the first error.
package func inParallel<State, T: Sendable>(
    _ count: Int, threads: Int, _ makeState: @escaping @Sendable () -> State,
    _ body: @escaping @Sendable (State, Int) throws -> T
) throws -> [T] {
    let results = Shared<[Int: Result<T, any Error>]>([:])
    let (begun, next) = (Tally(), Tally())
    let crowd = (0..<threads).map { _ in
        TestThread {
            let state = makeState()
            begun.add()
            while begun.count < threads { usleep(100) }
            while true {
                let number = next.add()
                if number >= count { return }
                let result = Result { try body(state, number) }
                results.withLock { $0[number] = result }
            }
        }
    }
    for thread in crowd { thread.join() }
    return try results.withLock { results in
        try (0..<count).map { try results[$0]!.get() }
    }
}

/// The state of threads that keep none.
@Sendable package func nothing() {}
