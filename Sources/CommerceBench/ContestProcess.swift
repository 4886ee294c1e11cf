import FoundationEssentials
import Glibc

/// Another process of this program that runs a ``Contest``.
final class ContestProcess {
    private let process: pid_t
    /// Ends of pipes: what the process reads, and what it writes.
    private let commands: Int32
    private let answers: Int32
    private var hasEnded = false

    /// Starts the process, which begins to warm up.
    init(
        _ strategy: StrategyKind, clients: Int, orders: Int, seconds: Int, firstTurn: Int
    ) throws(BenchError) {
        let arguments = [
            "commerce-bench", "contest", "--strategy", strategy.rawValue, "--clients", "\(clients)",
            "--orders", "\(orders)", "--seconds", "\(seconds)", "--first-turn", "\(firstTurn)",
        ]
        let input = try Self.pipe()
        let output = try Self.pipe()
        process = try Self.spawn(arguments, input: input.readEnd, output: output.writeEnd)
        close(input.readEnd)
        close(output.writeEnd)
        commands = input.writeEnd
        answers = output.readEnd
    }

    deinit {
        close(commands)
        close(answers)
        if !hasEnded {
            kill(process, SIGTERM)
            waitpid(process, nil, 0)
        }
    }

    func awaitWarm() throws(BenchError) {
        var byte: UInt8 = 0
        guard read(answers, &byte, 1) == 1, byte == UInt8(ascii: "\n") else { throw Self.failure }
    }

    func start() throws(BenchError) {
        var byte = UInt8(ascii: "\n")
        guard write(commands, &byte, 1) == 1 else { throw Self.failure }
    }

    /// Blocks until the process's share of the race is over.
    func report() throws -> ContestReport {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = read(answers, &chunk, chunk.count), count > 0 {
            bytes += chunk[..<count]
        }
        var status: Int32 = 0
        hasEnded = waitpid(process, &status, 0) == process
        guard hasEnded, status == 0 else { throw Self.failure }
        return try JSONDecoder().decode(ContestReport.self, from: Data(bytes))
    }

    private static var failure: BenchError {
        BenchError("a process of the race has failed; what it said is above")
    }

    /// Closed in every process that is started later, which would else keep it open.
    private static func pipe() throws(BenchError) -> (readEnd: Int32, writeEnd: Int32) {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { throw BenchError("no pipe is to be had") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func spawn(
        _ arguments: [String], input: Int32, output: Int32
    ) throws(BenchError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        var words = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process: pid_t = 0
        let failed = posix_spawn(&process, "/proc/self/exe", &actions, nil, &words, environ)
        guard failed == 0 else { throw BenchError("no process is to be had") }
        return process
    }
}
