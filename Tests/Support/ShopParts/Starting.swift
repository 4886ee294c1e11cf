import FoundationEssentials
import Glibc

/// How each part of a shop is started. All return when the part can be asked.
extension Part {
    /// Each limit is many times what a busy machine was seen to need.
    private static let startSeconds = 60.0

    package static func memcached(
        at socket: String, options: [String] = [], log: String
    ) throws -> Part {
        unlink(socket)
        let part = try Part(
            [
                "memcached", "-u", TestRun.systemUser, "-s", socket, "-a", "0600", "-m", "64",
                "-c", "1024",
            ] + options, log: log)
        let connected = eventually { try? UnixSocket.connected(to: socket) }
        guard connected != nil else { throw Failure("memcached: \(contents(of: part.log))") }
        return part
    }

    /// A MariaDB that only local sockets reach, and whose owner is the system's user. A commit that
    /// it has answered is on the disk. Without data it makes itself empty ones first.
    package static func mariadb(
        in folder: String, socket: String, options: [String] = [], log: String
    ) throws -> Part {
        let data = "\(folder)/mariadb"
        // A MariaDB that starts removes whatever temporary tables it finds: those of others, in /tmp.
        let temporary = "\(folder)/mariadb-tmp"
        try FileManager.default.createDirectory(
            atPath: temporary, withIntermediateDirectories: true)
        let own = ["--tmpdir=\(temporary)"] + (getuid() == 0 ? ["--user=root"] : [])
        if !FileManager.default.fileExists(atPath: data) {
            let installed = try Finished(
                [
                    "mariadb-install-db", "--no-defaults", "--datadir=\(data)", "--skip-test-db",
                    "--auth-root-authentication-method=socket",
                    "--auth-root-socket-user=\(TestRun.systemUser)",
                ] + own, in: folder)
            guard installed.status == 0 else { throw Failure("MariaDB: \(installed.errors)") }
        }
        let part = try Part(
            [
                "mariadbd", "--no-defaults", "--skip-networking", "--socket=\(socket)",
                "--datadir=\(data)", "--pid-file=\(folder)/mariadb.pid", "--skip-log-bin",
                "--innodb-flush-log-at-trx-commit=1", "--character-set-server=utf8mb4",
                "--performance-schema=off",
            ] + own + options, log: log)
        let status = eventually(within: startSeconds) {
            (try? UnixSocket.connected(to: socket)) == nil ? part.ended : 0
        }
        guard status == 0 else { throw Failure("MariaDB: \(contents(of: log))") }
        return part
    }

    /// `commerce serve`.
    ///
    /// - Parameter launcher: what runs it, such as `prlimit` with its options.
    package static func responder(
        _ settings: [String: String], launcher: [String] = [], input: Int32? = nil, log: String
    ) throws -> Part {
        let part = try Part(
            launcher + [TestRun.commerce, "serve"], settings: settings, log: log, input: input)
        try part.awaitLine("serving")
        return part
    }

    /// `commerce work`, whose receivers may be on this machine.
    ///
    /// - Parameter command: that becomes the worker, where it is another than the program itself.
    package static func worker(
        _ settings: [String: String], in folder: String,
        command: [String] = [TestRun.commerce, "work"]
    ) throws -> Part {
        let usual = [
            "COMMERCE_NOTIFICATION_FILE": "\(folder)/notifications.jsonl",
            "COMMERCE_WEBHOOKS_ALLOW_PRIVATE": "1",
        ]
        let part = try Part(
            command, settings: usual.merging(settings) { $1 },
            log: "\(folder)/\(TestRun.freshName("worker")).log")
        try part.awaitLine("working")
        return part
    }

    /// The shop's own nginx at a port of loopback, which is that of IPv6 too where the machine has it.
    ///
    /// - Parameters:
    ///   - place: its folder.
    ///   - edits: texts of `nginx/commerce.conf` that have to be there, and what replaces them.
    package static func nginx(
        in place: String, port: UInt16, edits: [(old: String, new: String)]
    ) throws -> Part {
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        var site = contents(of: TestRun.repository + "/nginx/commerce.conf")
        let six = "listen [::1]:8080 default_server backlog=4096;"
        let usual = [
            ("listen 127.0.0.1:8080", "listen 127.0.0.1:\(port)"),
            (six, hasIPv6 ? six.replacing("8080", with: "\(port)") : ""),
        ]
        for (old, new) in usual + edits {
            guard site.contains(old) else { throw Failure("nginx/commerce.conf has no '\(old)'") }
            site.replace(old, with: new)
        }
        try Data(site.utf8).write(to: URL(filePath: "\(place)/commerce.conf"))
        let documents = contents(of: TestRun.repository + "/README.md")
        try Data(documents.utf8).write(to: URL(filePath: "\(place)/README.md"))
        let whole = contents(of: TestRun.repository + "/nginx/nginx.conf")
        try Data(whole.utf8).write(to: URL(filePath: "\(place)/nginx.conf"))
        // As root its workers would become nobody, who may not open the responder's socket.
        let globals = "daemon off;" + (getuid() == 0 ? " user root;" : "")
        let part = try Part(
            ["nginx", "-p", place, "-c", "\(place)/nginx.conf", "-g", globals],
            log: "\(place)/start.log")
        let status = eventually(within: startSeconds) {
            (try? Client(port: port).get("/livez")) == nil ? part.ended : 0
        }
        guard status == 0 else {
            let errors = contents(of: "\(place)/error.log")
            throw Failure("nginx: \(contents(of: part.log)) \(errors)")
        }
        return part
    }

    /// Waits until its log says that it works.
    package func awaitLine(_ word: String) throws {
        let status = eventually(within: Self.startSeconds) {
            contents(of: log).contains(word) ? 0 : ended
        }
        guard status == 0 else { throw Failure("commerce: \(contents(of: log))") }
    }
}

/// A port below those that the kernel gives to clients, so that nobody takes it by accident.
///
/// - Parameter count: of the ports after it that are to be free, too.
package func freePort(following count: UInt16 = 0) throws -> UInt16 {
    for _ in 0..<100 {
        let port = UInt16.random(in: 10_000..<32_000)
        if (port...port + count).allSatisfy(isFree) { return port }
    }
    throw Failure("no free port")
}

/// Whether this machine has the loopback address of IPv6.
package let hasIPv6 = contents(of: "/proc/net/if_inet6").contains(
    "00000000000000000000000000000001 ")

private func isFree(_ port: UInt16) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    var address = loopback(port)
    return withUnsafePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            bind(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    } == 0
}

/// What the buyers were told by the workers of a folder, a JSON document each.
package func notificationLines(in folder: String) -> [String] {
    contents(of: "\(folder)/notifications.jsonl").split(separator: "\n").map(String.init)
}
