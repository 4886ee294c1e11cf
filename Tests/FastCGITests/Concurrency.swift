import Glibc
import Synchronization

/// Looks until `condition` holds.
func eventually(withinSeconds seconds: Double = 30, _ condition: () throws -> Bool) rethrows -> Bool
{
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if try condition() { return true }
        usleep(5_000)
    }
    return try condition()
}

/// Runs `body` on `count` threads at once.
///
/// - Returns: what they threw.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) -> [String] {
    Clients(count: count, body).failures()
}

/// Threads that run beside the test.
struct Clients {
    private let thrown = Failures()
    private let threads: [pthread_t]

    init(count: Int, _ body: @escaping @Sendable (Int) throws -> Void) {
        let thrown = thrown
        threads = (0..<count).map { index in
            startThread {
                do { try body(index) } catch { thrown.add("\(index): \(error)") }
            }
        }
    }

    /// Waits until all have ended.
    ///
    /// - Returns: what they threw.
    func failures() -> [String] {
        for thread in threads { pthread_join(thread, nil) }
        return thrown.all
    }
}

private final class Failures: Sendable {
    private let texts = Mutex<[String]>([])
    func add(_ text: String) { texts.withLock { $0.append(text) } }
    var all: [String] { texts.withLock { $0 } }
}

private func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
    var thread = pthread_t()
    let job = Unmanaged.passRetained(Job(body)).toOpaque()
    pthread_create(
        &thread, nil,
        { job in
            Unmanaged<Job>.fromOpaque(job!).takeRetainedValue().body()
            return nil
        }, job)
    return thread
}

private final class Job: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
