import Glibc
import Memcached
import Testing

/// A memcached process of its own for one test, ended when the test lets go of it.
///
/// Its socket lies under `COMMERCE_TEST_RUN_DIR`, or in a fresh directory under /tmp.
final class TestMemcached {
    let path: String
    private let arguments: [String]
    private var process: pid_t = 0

    init(_ options: String...) throws {
        path = "\(runDirectory)/memcached-\(UInt32.random(in: 0...UInt32.max)).sock"
        let user = String(cString: getpwuid(getuid()).pointee.pw_name)
        arguments = ["memcached", "-s", path, "-u", user] + options
        try start()
    }

    deinit {
        kill()
        unlink(path)
    }

    /// A client of its own, at rest or not by itself.
    func client() -> Memcached { Memcached(address: .socket(path: path)) }

    func start() throws {
        var pointers = arguments.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        // Should the tests die, whoever reads what they write would wait for its end, too.
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for output in [STDOUT_FILENO, STDERR_FILENO] {
            posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0)
        }
        let code = posix_spawnp(&process, "memcached", &actions, nil, pointers, environ)
        try #require(code == 0, "memcached does not start: \(code)")
        for _ in 1...500 where (try? client().ping()) == nil { usleep(10_000) }
        try client().ping()
    }

    /// Lets it hang: connections are accepted by the kernel and nothing is answered.
    func suspend() {
        Glibc.kill(process, SIGSTOP)
        waitpid(process, nil, WUNTRACED)  // It stops a moment after the signal.
    }

    func resume() { Glibc.kill(process, SIGCONT) }

    func kill() {
        guard process != 0 else { return }
        Glibc.kill(process, SIGKILL)
        waitpid(process, nil, 0)
        process = 0
    }
}

/// Where sockets of tests lie; without a directory given, all of one run share a fresh one.
let runDirectory: String = {
    if let directory = getenv("COMMERCE_TEST_RUN_DIR") { return String(cString: directory) }
    var template = Array("/tmp/commerce-test-XXXXXX".utf8CString)
    return String(cString: mkdtemp(&template))
}()

/// Milliseconds that `body` took.
func milliseconds(_ body: () throws -> Void) rethrows -> Double {
    try ContinuousClock().measure { try body() } / .milliseconds(1)
}

/// Why the cache could not, or nil if it could.
func refusal(_ body: () throws -> Void) -> Unavailable.Reason? {
    do {
        try body()
        return nil
    } catch {
        return (error as? Unavailable)?.reason
    }
}

/// Runs `body` on a thread of its own, to be joined.
func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
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
