import FoundationEssentials
import Glibc

/// A shop that the real `script/server` runs, in a run folder of its own.
final class PrivateShop: Sendable {
    let scratch: ScratchFolder
    let port: UInt16
    let server: Part

    /// What a test waits for on a machine that others keep busy.
    static let patienceSeconds = 120.0

    /// - Parameters:
    ///   - launcher: what comes before the script's path, such as `env` with its arguments.
    ///   - binary: nil leaves it to the script to build one.
    init(
        _ options: [String] = [], launcher: [String] = [],
        script: String = "\(TestRun.repository)/script/server", binary: String? = TestRun.commerce,
        settings: [String: String] = [:]
    ) throws {
        scratch = try ScratchFolder()
        port = try freePort(following: 3)
        var own = [
            "COMMERCE_BUFFER_POOL": "64M", "COMMERCE_HTTP_PORT": "\(port)",
            "COMMERCE_RUN_DIR": "\(scratch.path)/run",
        ]
        if let binary { own["COMMERCE_BINARY"] = binary }
        server = try Part(
            launcher + [script] + options, settings: own.merging(settings) { $1 },
            log: "\(scratch.path)/server.log")
    }

    deinit {
        // The parts have sessions of their own, so the script has to end them.
        server.signal(SIGTERM)
        _ = server.end(within: Self.patienceSeconds)
    }

    var folder: String { "\(scratch.path)/run" }
    var log: String { contents(of: server.log) }

    func awaitLine(_ line: String) throws {
        let status = eventually(within: Self.patienceSeconds, pauseMilliseconds: 50) {
            log.contains(line) ? 0 : server.ended
        }
        guard status == 0 else { throw Failure("no '\(line)': \(log)") }
    }

    func awaitReady() throws { try awaitLine("Stop:  Ctrl-C") }

    /// Its parts: of each the process, by the program's name and of `commerce` its command.
    func parts() -> [String: pid_t] {
        var parts: [String: pid_t] = [:]
        let children = contents(of: "/proc/\(server.pid)/task/\(server.pid)/children")
        for pid in children.split(separator: " ").compactMap({ pid_t($0) }) {
            let words = contents(of: "/proc/\(pid)/cmdline").split(separator: "\0")
            // nginx has a title instead: `nginx: master process …`.
            let path = words.first?.prefix { $0 != ":" && $0 != " " } ?? ""
            guard let program = path.split(separator: "/").last else { continue }
            let isOurs = words.count == 2 && ["serve", "work", "notify"].contains(words[1])
            parts[String(isOurs ? words[1] : program)] = pid
        }
        return parts
    }

    /// Whether an order is confirmed.
    func takesOrder() -> Bool {
        let body = order(26, [(101, 1)], paying: 2_000)
        let client = Client(port: port, patienceSeconds: 5)
        return (try? client.post("/api/v1/orders", body))?.status == 200
    }

    /// Runs a script on it, as its operator would in another terminal.
    func run(_ script: String, _ arguments: String..., launcher: [String] = []) throws -> Finished {
        try Finished(
            launcher + ["\(TestRun.repository)/script/\(script)"] + arguments,
            settings: ["COMMERCE_RUN_DIR": folder], in: scratch.path)
    }
}

/// Whether a process is there, and no zombie.
func isAlive(_ pid: pid_t) -> Bool {
    let status = contents(of: "/proc/\(pid)/stat")
    return !status.isEmpty && !status.contains(") Z ")
}
