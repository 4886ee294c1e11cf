import Glibc
import Synchronization

/// A thread for work that blocks, which Swift's cooperative pool must never do.
public final class WorkerThread: Sendable {
    private let thread: pthread_t
    private let isJoined = Atomic<Bool>(false)

    private final class Body: Sendable {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) {
            self.run = run
        }
    }

    /// Starts a thread that ends with `body`.
    ///
    /// - Parameter stackBytes: reserved, not used up: the kernel gives pages as they are touched.
    public init(stackBytes: Int = 1 << 20, _ body: @escaping @Sendable () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackBytes)
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Body(body)).toOpaque()
        let result = pthread_create(
            &thread, &attributes,
            { context in
                guard let context else { return nil }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context)
        precondition(result == 0, "no thread to be had: \(String(cString: strerror(result)))")
        self.thread = thread
    }

    /// A thread that nobody waits for leaves nothing behind when it ends.
    deinit {
        if !isJoined.load(ordering: .relaxed) { pthread_detach(thread) }
    }

    /// Blocks until the thread has ended. Called once.
    public func join() {
        // Its handle may by then be that of another thread, whose end would be waited for.
        precondition(!isJoined.exchange(true, ordering: .relaxed), "a thread was joined twice")
        pthread_join(thread, nil)
    }
}
