import FoundationEssentials
import Glibc
import Testing

/// `script/server` looks after its parts.
@Suite struct Supervision {
    private static let secrets = [
        "COMMERCE_AMQP_URL": "amqp://guest:of-the-broker@127.0.0.1:1",
        "COMMERCE_ALIMTALK_URL": "http://127.0.0.1:1/send",
        "COMMERCE_ALIMTALK_TOKEN": "of-the-gateway", "COMMERCE_ALIMTALK_TEMPLATE": "t1",
    ]

    /// The parts that are clients of the database, and those that tell buyers.
    private static let clients: Set = ["notify", "serve", "work"]
    private static let tellers: Set = ["notify", "work"]
    private static let servers: Set = [
        "mariadbd", "memcached", "nginx", "prometheus", "prometheus-mysqld-exporter",
        "prometheus-nginx-exporter",
    ]

    @Test func `a part that is killed is started again, and orders go on by themselves`() throws {
        let shop = try PrivateShop(["--monitoring"], settings: Self.secrets)
        try shop.awaitLine("(nginx)")
        let first = shop.parts()
        #expect(Set(first.keys) == Self.clients.union(Self.servers))
        try expectSecretsKept(by: shop)
        let alerts = "http://127.0.0.1:\(shop.port + 1)/classic/alerts"
        #expect(shop.log.contains("alerts: \(alerts)\n"), "\(shop.log)")
        let shown = try Finished(["curl", "-fsS", "--noproxy", "*", alerts], in: shop.scratch.path)
        #expect(shown.status == 0 && shown.output.contains("MariaDBDown"), "\(shown.errors)")

        for (name, pid) in first.sorted(by: { $0.key < $1.key }) {
            #expect(kill(pid, SIGKILL) == 0)
            let next = eventually(within: 30, pauseMilliseconds: 20) {
                shop.parts()[name].flatMap { $0 == pid ? nil : $0 }
            }
            #expect(next != nil, "\(name): \(shop.log)")
            let takesOrders = eventually(within: 30, pauseMilliseconds: 100) {
                shop.takesOrder() ? true : nil
            }
            #expect(takesOrders == true, "after \(name) was killed: \(shop.log)")
        }
        let told = shop.log.split(separator: "\n").filter { $0.contains("starts again in") }
        #expect(told.count == first.count, "\(shop.log)")
        #expect(told.allSatisfy { $0.contains("has ended by itself with signal KILL, and starts") })
        // Nothing but these lines, such as bash's own words about a process that was killed.
        #expect(!shop.log.contains(": line "))
        try expectSecretsKept(by: shop)

        // Ctrl-C while a part is away.
        let last = shop.parts()
        try kill(#require(last["mariadbd"]), SIGKILL)
        try shop.awaitLine("MariaDB has ended")
        shop.server.signal(SIGINT)
        #expect(shop.server.end(within: PrivateShop.patienceSeconds) == 0)
        let left = eventually { last.values.contains(where: isAlive) ? nil : true }
        #expect(left == true, "\(shop.log)")
        #expect(throws: (any Error).self) { try Client(port: shop.port).get("/livez") }
    }

    /// A part has the secrets that it needs, and no other.
    private func expectSecretsKept(by shop: PrivateShop) throws {
        let password = contents(of: "\(shop.folder)/database-password")
        #expect(password.count == 48)
        for (name, pid) in shop.parts() {
            let environment = contents(of: "/proc/\(pid)/environ")
            #expect(environment.contains(password) == Self.clients.contains(name), "\(name)")
            for (setting, secret) in Self.secrets {
                let isHeld = environment.contains("\(setting)=\(secret)")
                #expect(isHeld == Self.tellers.contains(name), "\(setting) of \(name)")
            }
            if Self.servers.contains(name) {
                #expect(!environment.contains("COMMERCE_"), "\(name)")
            }
        }
    }

    /// A program that is what it is until a file says otherwise, and then ends at once.
    private static func writeProgram(at path: String, until file: String) throws {
        let program = """
            #!/bin/sh
            if [ "$1" = work ] && [ -e "\(file)" ]; then echo "no work today" >&2; exit 3; fi
            exec "\(TestRun.commerce)" "$@"

            """
        try Data(program.utf8).write(to: URL(filePath: path))
        guard chmod(path, 0o755) == 0 else { throw Failure("chmod \(path)") }
    }

    @Test func `a part that fails again and again ends the run with its log`() throws {
        let scratch = try ScratchFolder()
        let (program, file) = ("\(scratch.path)/commerce", "\(scratch.path)/broken")
        try Self.writeProgram(at: program, until: file)
        let shop = try PrivateShop(binary: program)
        try shop.awaitReady()
        let parts = shop.parts()
        try Data().write(to: URL(filePath: file))
        try kill(#require(parts["work"]), SIGKILL)
        #expect(shop.server.end(within: PrivateShop.patienceSeconds) == 1)
        let log = shop.log
        #expect(
            log.contains("worker has ended by itself 8 times in a row, the last time with status 3")
        )
        #expect(log.contains("\n    no work today\n"))
        // Pauses that grow, up to a bound.
        for pause in ["0.2 s", "0.4 s", "0.8 s", "1.6 s", "3.2 s", "5.0 s"] {
            #expect(log.contains("starts again in \(pause)"))
        }
        // The log of a crash is kept by the next start.
        #expect(contents(of: "\(shop.folder)/worker.log").contains("working"))
        #expect(!parts.values.contains(where: isAlive))
    }

    @Test func `a part that never starts ends the run at once`() throws {
        let shop = try PrivateShop(binary: "/bin/false")
        #expect(shop.server.end(within: PrivateShop.patienceSeconds) == 1)
        #expect(shop.log.contains("commerce ended while starting"))
    }
}
