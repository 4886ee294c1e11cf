import FastCGI
import Glibc
import Logging
import Threads

/// A responder in a process of its own, for tests: signals, descriptors and the end of a process
/// are things that a test cannot try on itself.
///
/// Serves at `--path`, or without it on the socket passed on descriptor 0. The other options are
/// the bounds of ``Responder/Limits``, and `--descriptors` for those of the process.
@main enum EchoResponder {
    static func main() {
        let signals = StopSignals()
        let options = Options(CommandLine.arguments.dropFirst())
        limitDescriptors(to: options["descriptors"])
        do {
            let echo = Echo()
            let responder = try Responder(
                on: try socket(options), limits: options.limits, logger: Logger(label: "echo"),
                handler: echo.answer)
            responder.run(until: signals)
        } catch {
            print(error)
            exit(2)
        }
    }

    private static func socket(_ options: Options) throws -> ListeningSocket {
        if let path = options.path { return try .bound(to: path) }
        guard let socket = ListeningSocket.inherited() else { throw NoSocket() }
        return socket
    }

    private static func limitDescriptors(to count: Int?) {
        guard let count else { return }
        var limit = rlimit(rlim_cur: rlim_t(count), rlim_max: rlim_t(count))
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

private struct NoSocket: Error, CustomStringConvertible {
    let description = "descriptor 0 is not a listening socket, and there is no --path"
}

/// `--name value` pairs.
private struct Options {
    private var values: [String: String] = [:]

    init(_ arguments: ArraySlice<String>) {
        var rest = arguments
        while let name = rest.popFirst(), let value = rest.popFirst() {
            values[String(name.dropFirst(2))] = value
        }
    }

    subscript(name: String) -> Int? { values[name].flatMap { Int($0) } }

    var path: String? { values["path"] }

    var limits: Responder.Limits {
        var limits = Responder.Limits()
        limits.workers = self["workers"] ?? 8
        limits.connectionsMax = self["connections-max"] ?? limits.connectionsMax
        limits.bodyBytesMax = self["body-bytes-max"] ?? limits.bodyBytesMax
        limits.peerSeconds = self["peer-seconds"] ?? limits.peerSeconds
        limits.drainSeconds = self["drain-seconds"] ?? limits.drainSeconds
        return limits
    }
}
