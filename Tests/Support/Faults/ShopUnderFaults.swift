import FoundationEssentials
import Glibc
import MariaDB
import ShopParts
import Synchronization

/// A whole shop of its own: MariaDB, memcached, a proxy before each, two responders, two workers,
/// nginx, and a receiver of webhooks. All of it is in one folder and ends with it.
final class ShopUnderFaults: Sendable {
    static let responders = ["serve1", "serve2"]
    static let workers = ["work1", "work2"]

    let folder: String
    let port: UInt16
    /// Where each process of ours answers probes, whatever nginx thinks of it.
    let database: ShopDatabase
    let databaseProxy: Proxy
    let memcachedProxy: Proxy
    /// In the order in which they stop.
    let posts: [Post]
    let receiver: ReceiverProcess

    /// - Parameters:
    ///   - receiverCommand: runs ``ReceiverProcess`` with the arguments that follow.
    ///   - migrationDice: says when a first migration is killed; nil for not at all.
    ///   - isMeasured: whether it is to be fast: no proxies in between, and no responder with little
    ///     of everything.
    init(
        in folder: String, receiverCommand: [String], migrationDice: Dice? = nil,
        isMeasured: Bool = false
    ) throws {
        self.folder = folder
        let socket = "\(folder)/mariadb.sock"
        let mariadb = try Post("mariadbd") { try Self.mariadb(in: folder, socket) }
        var started = [mariadb]
        do {
            if var dice = migrationDice { try Self.killMigration(&dice, socket, in: folder) }
            database = try ShopDatabase(named: "commerce", at: socket, isDropped: false, in: folder)
            try Self.fillShelves(database, in: folder)
            let memcached = try Post("memcached") {
                try Part.memcached(
                    at: "\(folder)/memcached.sock", log: "\(folder)/memcached.log")
            }
            started.append(memcached)
            databaseProxy = try Proxy(at: "\(folder)/db.sock", to: socket)
            memcachedProxy = try Proxy(at: "\(folder)/mc.sock", to: "\(folder)/memcached.sock")
            let usual = Self.settings(database, in: folder, isMeasured: isMeasured)
            receiver = try ReceiverProcess(
                receiverCommand, settings: Self.direct(usual, socket), in: folder)
            started.append(receiver.post)
            started += try Self.startOurs(usual, in: folder, isMeasured: isMeasured)
            let port = try freePort()
            let nginx = try Post("nginx", stopSignal: SIGQUIT) { try Self.nginx(in: folder, port) }
            self.port = port
            posts = [nginx] + started.reversed()
        } catch {
            for post in started.reversed() { post.stop() }
            throw error
        }
        try awaitHealth(within: 60)
    }

    subscript(name: String) -> Post { posts.first { $0.name == name }! }

    /// Ends everything, and nothing that is not of this shop.
    func stop() {
        for post in posts { post.stop() }
        databaseProxy.cut()
        memcachedProxy.cut()
    }

    /// Asks one of our processes, whatever nginx thinks of it.
    func ask(_ name: String, _ path: String) -> Answer? {
        try? Client(port: port, patienceSeconds: 8).get("/\(name)\(path)")
    }

    /// Waits until every process of ours finds everything that it needs.
    func awaitHealth(within seconds: Double) throws {
        for name in Self.responders + Self.workers {
            let healthy = eventually(within: seconds, pauseMilliseconds: 100) {
                guard let answer = ask(name, "/readyz"), answer.status == 200,
                    answer.text == #"{"status": "ok"}"#
                else { return nil as Bool? }
                return true
            }
            if healthy == nil {
                let answer = ask(name, "/readyz")?.text ?? "no answer"
                throw Failure("\(name) is not ready after \(seconds) s: \(answer)")
            }
        }
    }

    /// Waits until no responder has a request in hand or a command in its queue.
    func awaitQuiet(within seconds: Double) throws {
        for name in Self.responders {
            let quiet = eventually(within: seconds, pauseMilliseconds: 100) { () -> Bool? in
                let page = ask(name, "/metrics")?.text ?? ""
                let values = ["commerce_requests_in_hand", "commerce_ledger_queued"].map { name in
                    page.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
                        .flatMap { Double($0.dropFirst(name.count + 1)) }
                }
                return values == [0, 0] ? true : nil
            }
            if quiet == nil { throw Failure("\(name) is still at work after \(seconds) s") }
        }
    }

    /// Empties memcached, as an operator would.
    func flushMemcached() {
        guard let socket = try? UnixSocket.connected(to: "\(folder)/memcached.sock") else { return }
        socket.giveUp(afterSeconds: 1)
        try? socket.send(Array("flush_all\r\n".utf8))
        _ = socket.receive()
    }
}

// MARK: - How it is put together

extension ShopUnderFaults {
    private static func mariadb(in folder: String, _ socket: String) throws -> Part {
        try Part.mariadb(
            in: folder, socket: socket,
            options: [
                "--max-connections=200", "--innodb-buffer-pool-size=64M",
                "--innodb-log-file-size=48M",
            ], log: "\(folder)/mariadb.log")
    }

    /// Begins to migrate the new database, and is killed with all its children at some moment.
    /// Whoever makes the database afterwards begins where this one was.
    private static func killMigration(
        _ dice: inout Dice, _ socket: String, in folder: String
    ) throws {
        let migration = try Part(
            ["\(TestRun.repository)/sql/migrate.sh"] + ShopDatabase.options(of: socket)
                + ["commerce"], log: "\(folder)/migration.log")
        usleep(UInt32(dice.number(50...900)) * 1_000)
        migration.signalAll(SIGKILL)
        _ = migration.end(within: 10)
    }

    /// What sells most does not run out in minutes; the rest does.
    private static func fillShelves(_ database: ShopDatabase, in folder: String) throws {
        try database.connect().execute(
            "UPDATE stock SET quantity = 1000000 WHERE product_id BETWEEN 101 AND 104")
        try database.load("sql/reconcile.sql", in: folder)
    }

    private static func settings(
        _ database: ShopDatabase, in folder: String, isMeasured: Bool
    ) -> [String: String] {
        [
            "COMMERCE_MEMCACHED": "\(folder)/\(isMeasured ? "memcached" : "mc").sock",
            "COMMERCE_DATABASE_SOCKET": "\(folder)/\(isMeasured ? "mariadb" : "db").sock",
            "COMMERCE_DATABASE_NAME": database.name,
            "COMMERCE_DATABASE_USER": database.user,
            "COMMERCE_DATABASE_PASSWORD": database.password,
            "COMMERCE_DATABASE_POOL": "8",
            "COMMERCE_WORKERS": "32",
            "COMMERCE_LOG_REQUESTS": "failed",
            "MALLOC_ARENA_MAX": "2",
            // While it storms, too.
            "COMMERCE_AUDIT_INTERVAL": "10",
            // Events come again at once, and what a dead worker had is soon due.
            "COMMERCE_DELIVERY_PAUSE_MS": "20", "COMMERCE_DELIVERY_ATTEMPTS": "100",
            "COMMERCE_DELIVERY_LEASE_SECONDS": "5",
        ]
    }

    /// The settings of who goes to MariaDB without the proxy.
    private static func direct(
        _ settings: [String: String], _ socket: String
    ) -> [String: String] {
        settings.merging(["COMMERCE_DATABASE_SOCKET": socket]) { $1 }
    }

    /// The second responder has little of everything, so that a crowd exhausts it.
    private static func startOurs(
        _ usual: [String: String], in folder: String, isMeasured: Bool
    ) throws -> [Post] {
        let scarce = [
            "COMMERCE_DATABASE_POOL": "2", "COMMERCE_LEDGER_QUEUE": "6",
            "COMMERCE_LEDGER_LANES": "2", "COMMERCE_WORKERS": "12",
        ]
        let descriptorsMax = 110
        var posts: [Post] = []
        do {
            for name in responders {
                let own = ["COMMERCE_SOCKET": "\(folder)/\(name).sock"]
                let isScarce = name == responders[1] && !isMeasured
                let settings = usual.merging(own) { $1 }.merging(isScarce ? scarce : [:]) { $1 }
                let launcher =
                    isScarce ? ["prlimit", "--nofile=\(descriptorsMax):\(descriptorsMax)"] : []
                posts.append(
                    try Post(name) {
                        try Part.responder(
                            settings, launcher: launcher,
                            log: "\(folder)/\(TestRun.freshName(name)).log")
                    })
            }
            for name in workers {
                let own = ["COMMERCE_WORK_SOCKET": "\(folder)/\(name).sock"]
                posts.append(
                    try Post(name) {
                        try Part.worker(usual.merging(own) { $1 }, in: folder)
                    })
            }
            return posts
        } catch {
            for post in posts { post.stop() }
            throw error
        }
    }

    /// The shop's own configuration with two responders, and a way to each process alone.
    private static func nginx(in folder: String, _ port: UInt16) throws -> Part {
        func servers(_ suffix: String) -> String {
            responders.map { "server unix:\(folder)/\($0).sock\(suffix);" }.joined(separator: " ")
        }
        var probes = ""
        for name in responders + workers {
            let socket = "\(folder)/\(name).sock" + (responders.contains(name) ? ".probes" : "")
            probes += """
                location /\(name)/ {
                    rewrite ^/\(name)(/.*)$ $1 break;
                    fastcgi_pass unix:\(socket);
                    fastcgi_keep_conn off;
                    fastcgi_param REQUEST_METHOD $request_method;
                    fastcgi_param REQUEST_URI $uri;
                    fastcgi_param REMOTE_ADDR $remote_addr;
                    fastcgi_param HTTP_X_REQUEST_ID $request_id;
                }

                """
        }
        return try Part.nginx(
            in: "\(folder)/nginx", port: port,
            edits: [
                ("server unix:/run/commerce/commerce.sock;", servers("")),
                ("server unix:/run/commerce/commerce.sock.probes;", servers(".probes")),
                ("unix:/run/commerce/work.sock", "unix:\(folder)/\(workers[0]).sock"),
                ("    # --- Probes, and pages for operators\n", probes),
            ])
    }
}
