import AMQP
import FoundationEssentials
import Glibc
import Synchronization

/// A real RabbitMQ, run by the project's own script.
final class TestBroker: Sendable {
    /// One for all tests that leave it alive. It ends with the tests.
    static let shared = Result { try TestBroker() }

    let port: UInt16
    private let scratch: ScratchFolder
    private let script: Mutex<Part>

    init() throws {
        scratch = try ScratchFolder()
        port = try freePort()
        script = Mutex(try Self.start(in: scratch.path, port: port))
    }

    deinit { script.withLock { $0.stop() } }

    var url: String { "amqp://127.0.0.1:\(port)" }

    func connect() throws -> AMQP.Connection { try Connection(to: Broker(url: url)) }

    /// The broker's own process.
    private var pid: pid_t {
        let text = contents(of: "\(scratch.path)/rabbitmq/rabbitmq.pid")
        return pid_t(text.prefix { $0.isNumber }) ?? 0
    }

    /// Lets it hang: connections stay, and nothing is answered.
    func suspend() {
        kill(pid, SIGSTOP)
        let isStopped = eventually {
            contents(of: "/proc/\(pid)/status").contains("State:\tT") ? true : nil
        }
        precondition(isStopped != nil, "the broker does not stop")
    }

    func resume() { kill(pid, SIGCONT) }

    /// Ends it without a chance to tidy up, and then the script, which would start it again.
    func killNow() {
        kill(pid, SIGKILL)
        script.withLock { $0.stop() }
    }

    /// Stops it as it should be, and starts it again: so everything is on the disk. RabbitMQ 3.10
    /// writes the name of a new quorum queue there up to three minutes late, and a queue without its
    /// name is forgotten with all its messages.
    func settle() throws {
        script.withLock { $0.stop() }
        try restart()
    }

    func restart() throws {
        let part = try Self.start(in: scratch.path, port: port)
        script.withLock { $0 = part }
    }

    private static func start(in folder: String, port: UInt16) throws -> Part {
        let log = "\(folder)/\(TestRun.freshName("broker")).log"
        let part = try Part(
            ["\(TestRun.repository)/script/rabbitmq"],
            settings: ["COMMERCE_RUN_DIR": folder, "COMMERCE_AMQP_PORT": "\(port)"], log: log)
        let status = eventually(within: 120, pauseMilliseconds: 50) {
            contents(of: log).contains("RabbitMQ is ready") ? 0 : part.ended
        }
        guard status == 0 else { throw Failure("RabbitMQ: \(contents(of: log))") }
        return part
    }
}
