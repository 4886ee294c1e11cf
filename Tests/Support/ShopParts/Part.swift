import Dispatch
import Glibc
import Synchronization

/// A process that a test runs beside itself. It ends at the latest when the test lets go of it, or
/// when the tests die.
package final class Part: Sendable {
    /// What it returned, or 128 and the signal that ended it, as a shell says it.
    package typealias Status = Int32

    package let pid: pid_t
    /// The files of what it writes.
    package let log: String
    package let output: String
    private let status = Mutex<Status?>(nil)

    /// - Parameters:
    ///   - settings: its `COMMERCE_…` variables; none of ours are inherited.
    ///   - log: receives what it writes to standard error, and to `output` where that is nil.
    ///   - input: the descriptor that it gets as its standard input.
    package init(
        _ arguments: [String], settings: [String: String] = [:], log: String,
        output: String? = nil, input: Int32? = nil
    ) throws {
        self.log = log
        self.output = output ?? log
        let launch = Launch(
            arguments: ["setpriv", "--pdeathsig", "TERM"] + arguments,
            environment: Self.environment(settings), log: log, output: output ?? log, input: input)
        pid = try Spawner.shared.spawn(launch)
    }

    deinit { stop() }

    /// How it has ended; nil while it runs.
    package var ended: Status? {
        status.withLock { status in
            var raw: Int32 = 0
            if status == nil, waitpid(pid, &raw, WNOHANG) == pid {
                let signal = raw & 0x7F
                status = signal == 0 ? (raw >> 8) & 0xFF : 128 + signal
            }
            return status
        }
    }

    package func signal(_ number: Int32) {
        status.withLock { status in
            if status == nil { kill(pid, number) }
        }
    }

    /// Signals it and whatever it has started, such as the workers of nginx.
    package func signalAll(_ number: Int32) {
        status.withLock { status in
            if status == nil { kill(-pid, number) }
        }
    }

    /// Waits until it ends by itself.
    package func end(within seconds: Double) -> Status? { eventually(within: seconds) { ended } }

    /// Ends it: politely for a bounded time, then not.
    package func stop() {
        signal(SIGCONT)
        signal(SIGTERM)
        if end(within: 10) == nil { killNow() }
        kill(-pid, SIGKILL)  // Children that it may have left behind.
    }

    /// Ends it without a chance to tidy up.
    package func killNow() {
        signal(SIGKILL)
        _ = end(within: 10)
    }

    /// Lets it hang: the kernel still accepts connections, and nothing is answered.
    package func suspend() { signal(SIGSTOP) }

    package func resume() { signal(SIGCONT) }

    private static func environment(_ settings: [String: String]) -> [String] {
        var variables: [String] = []
        var next = environ
        while let variable = next.pointee {
            let text = String(cString: variable)
            if !text.hasPrefix("COMMERCE_") && !text.hasPrefix("PATH=") { variables.append(text) }
            next += 1
        }
        let path = TestRun.environment("PATH") ?? "/usr/bin:/bin"
        variables.append("PATH=\(path):/usr/sbin:/sbin")
        return variables + settings.map { "\($0)=\($1)" }
    }
}

/// A command that has ended.
package struct Finished: Sendable {
    package let status: Part.Status
    package let output: String
    package let errors: String

    /// Runs a command, for a minute at most, with files in `folder`.
    package init(
        _ arguments: [String], settings: [String: String] = [:], in folder: String
    ) throws {
        let name = folder + "/" + TestRun.freshName("run")
        let part = try Part(
            arguments, settings: settings, log: name + ".err", output: name + ".out")
        guard let status = part.end(within: 60) else {
            throw Failure("\(arguments.joined(separator: " ")) did not end within a minute")
        }
        self.status = status
        output = contents(of: part.output)
        errors = contents(of: part.log)
        unlink(part.output)
        unlink(part.log)
    }
}

private struct Launch: Sendable {
    let arguments: [String]
    let environment: [String]
    let log: String
    let output: String
    let input: Int32?

    func run() throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        } else {
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        }
        let flags = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, flags, 0o600)
        Self.keepOurDescriptors()

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))

        var argumentPointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        var environmentPointers: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) }
        defer { for pointer in argumentPointers + environmentPointers { free(pointer) } }
        argumentPointers.append(nil)
        environmentPointers.append(nil)
        var pid: pid_t = 0
        let code = posix_spawnp(
            &pid, arguments[0], &actions, &attributes, argumentPointers, environmentPointers)
        guard code == 0 else {
            throw Failure("\(arguments[0]) cannot be run: \(String(cString: strerror(code)))")
        }
        return pid
    }

    /// A part gets none of the tests' descriptors: a client's connection would stay open with it.
    private static func keepOurDescriptors() {
        for descriptor in 3..<1_024 as Range<Int32> {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
    }
}

/// The thread that starts all parts. It lives as long as the tests do: a part ends with the thread
/// that started it, and those of Swift's pool come and go.
private final class Spawner: Sendable {
    static let shared = Spawner()

    private let jobs = Mutex<[@Sendable () -> Void]>([])
    private let arrived = DispatchSemaphore(value: 0)

    private init() {
        TestThread.detached {
            while true {
                self.arrived.wait()
                self.jobs.withLock { $0.removeFirst() }()
            }
        }
    }

    func spawn(_ launch: Launch) throws -> pid_t {
        let result = Shared<Result<pid_t, any Error>?>(nil)
        let done = DispatchSemaphore(value: 0)
        jobs.withLock { jobs in
            jobs.append {
                let launched = Result { try launch.run() }
                result.withLock { $0 = launched }
                done.signal()
            }
        }
        arrived.signal()
        done.wait()
        return try result.withLock { $0! }.get()
    }
}
