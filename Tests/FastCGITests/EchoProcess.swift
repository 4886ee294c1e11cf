import Glibc
import Testing

/// A process with a responder, ended when the test lets go of it.
final class EchoProcess {
    let path: String
    private(set) var id: pid_t = 0
    /// As `waitpid` reported it; nil while the process runs.
    private var status: Int32?

    /// - Parameters:
    ///   - options: as the executable `EchoResponder` takes them.
    ///   - path: a fresh one unless given.
    ///   - listener: passed on descriptor 0; the path is then not the process's concern.
    init(_ options: [String: Int] = [:], at path: String? = nil, passing listener: Int32? = nil)
        throws
    {
        self.path = path ?? socketPath()
        var arguments = options.flatMap { ["--\($0.key)", "\($0.value)"] }
        if listener == nil { arguments += ["--path", self.path] }
        id = try spawn(arguments, input: listener)
        let isServing = eventually { processServing(self.path) == id || hasEnded }
        try #require(isServing && !hasEnded, "the responder at \(self.path) does not serve")
    }

    deinit {
        if !hasEnded {
            kill(id, SIGKILL)
            waitpid(id, nil, 0)
        }
        unlink(path)
    }

    func connect() throws -> Peer { try Peer(to: path, of: self) }

    /// A new connection is answered.
    func isServing() throws -> Bool { try connect().text("/process") == "\(id)" }

    /// Requests that reached the handler.
    func calls() throws -> Int { try #require(Int(try connect().text("/calls"))) }

    func send(_ signal: Int32) { kill(id, signal) }

    var hasEnded: Bool {
        if status != nil { return true }
        var status: Int32 = 0
        guard waitpid(id, &status, WNOHANG) == id else { return false }
        self.status = status
        return true
    }

    /// Waits for the end.
    ///
    /// - Returns: nil when it does not come, or came by a signal.
    func exitCode(withinSeconds seconds: Double = 30) -> Int32? {
        guard eventually(withinSeconds: seconds, { hasEnded }), let status else { return nil }
        return status & 0x7F == 0 ? status >> 8 & 0xFF : nil
    }

    /// Sockets and files that the process has open. Without pipes, which it does not use: they are to
    /// the program that names for ThreadSanitizer what thread.supp may leave out, when it comes to that.
    var descriptors: Int {
        let folder = "/proc/\(id)/fd"
        return entries(of: folder).count { name in
            var target = [CChar](repeating: 0, count: 64)
            let length = readlink("\(folder)/\(name)", &target, target.count)
            let text = target.prefix(max(0, length)).map { UInt8(bitPattern: $0) }
            return !text.starts(with: "pipe:".utf8)
        }
    }

    /// The same while nobody is connected.
    func descriptorsAtRest() throws -> Int {
        #expect(try isServing())
        let counts = (1...50).map { _ in
            usleep(10_000)
            return descriptors
        }
        return counts.min() ?? 0
    }

    /// The exit code of a process that does not come to serve.
    static func exitCode(passing listener: Int32) throws -> Int32 {
        let id = try spawn([], input: listener)
        var status: Int32 = 0
        waitpid(id, &status, 0)
        return status >> 8 & 0xFF
    }
}

/// Which process answers at a path, or nil if none does.
private func processServing(_ path: String) -> pid_t? {
    (try? Peer(to: path).text("/process")).flatMap { pid_t($0) }
}

/// Starts the helper with the signals that a shell would give it.
private func spawn(_ arguments: [String], input: Int32?) throws -> pid_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigaddset(&signals, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if let input {
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
    } else {
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    }
    for output in [STDOUT_FILENO, STDERR_FILENO] {
        posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0)
    }

    let executable = helperPath()
    var pointers = ([executable] + arguments).map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    var id: pid_t = 0
    let code = posix_spawn(&id, executable, &actions, &attributes, pointers, environ)
    try #require(code == 0, "\(executable) does not start: \(String(cString: strerror(code)))")
    return id
}

/// SwiftPM puts the executables beside the one that runs the tests.
private func helperPath() -> String {
    var path = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    readlink("/proc/self/exe", &path, Int(PATH_MAX))
    return "\(String(cString: dirname(&path)))/EchoResponder"
}

/// A path for a socket under `COMMERCE_TEST_RUN_DIR`, or else in a directory under /tmp.
func socketPath() -> String {
    "\(runDirectory)/fastcgi-\(UInt32.random(in: 0 ... .max))"
}

private let runDirectory: String = {
    if let directory = getenv("COMMERCE_TEST_RUN_DIR") { return String(cString: directory) }
    var template = Array("/tmp/commerce-test-XXXXXX".utf8CString)
    return String(cString: mkdtemp(&template))
}()

/// The names in a folder.
func entries(of folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names
}
