import Testing

@testable import CommerceTool

/// Traffic that leaves this machine is encrypted, or an operator has said that it is not.
@Suite struct Plaintexts {
    @Test(arguments: [
        ("127.0.0.1", true), ("127.0.0.2", true), ("127.255.255.254", true), ("::1", true),
        ("[::1]", true), ("0:0:0:0:0:0:0:1", true), ("::ffff:127.0.0.1", true),
        ("localhost", true), ("LocalHost", true),
        ("128.0.0.1", false), ("126.255.255.255", false), ("10.0.0.1", false),
        ("192.168.1.1", false), ("0.0.0.0", false), ("::", false), ("::2", false),
        ("fe80::1", false), ("::ffff:10.0.0.1", false), ("::127.0.0.1", false),
        ("db.example", false), ("localhost.example", false), ("127.0.0.1.example", false),
        ("localhost,db.example", false), ("127.0.0.1,10.0.0.1", false), ("127.1", false),
        ("2130706433", false), ("0x7f.0.0.1", false), ("", false), ("127.0.0.1 ", false),
    ])
    func `only loopback is this machine`(host: String, isThisMachine: Bool) {
        #expect(Host(host).isThisMachine == isThisMachine)
    }

    private static let database = [
        "COMMERCE_DATABASE_SOCKET": "/nonexistent/none.sock", "COMMERCE_DATABASE_NAME": "nowhere",
        "COMMERCE_DATABASE_USER": "nobody", "COMMERCE_NOTIFICATION_FILE": "/dev/null",
        "COMMERCE_SOCKET": "/nonexistent/c.sock",
    ]
    private static let gateway = [
        "COMMERCE_ALIMTALK_TOKEN": "s3cret", "COMMERCE_ALIMTALK_TEMPLATE": "t",
    ]

    private static func host(_ name: String) -> [String: String] {
        ["COMMERCE_DATABASE_SOCKET": "", "COMMERCE_DATABASE_HOST": name]
    }

    /// A command, what it is told, and the setting that is to be refused; nil for none.
    private static let cases: [(String, [String: String], String?)] = [
        ("serve", host("192.0.2.1"), "COMMERCE_DATABASE_HOST"),
        ("work", host("db.example"), "COMMERCE_DATABASE_HOST"),
        ("events list", host("db.example"), "COMMERCE_DATABASE_HOST"),
        ("webhooks list", host("[2001:db8::1]"), "COMMERCE_DATABASE_HOST"),
        ("audit", host("127.0.0.1,db.example"), "COMMERCE_DATABASE_HOST"),
        ("resume", host("db.example"), "COMMERCE_DATABASE_HOST"),
        ("events list", host("127.0.0.1"), nil), ("events list", host("[::1]"), nil),
        ("events list", host("localhost"), nil),
        (
            "events list",
            host("192.0.2.1").merging(["COMMERCE_DATABASE_CA": "/nonexistent/ca.pem"]) { $1 }, nil
        ),
        (
            "events list",
            host("192.0.2.1").merging(["COMMERCE_ALLOW_PLAINTEXT": "database"]) { $1 }, nil
        ),
        (
            "events list",
            host("192.0.2.1").merging(["COMMERCE_ALLOW_PLAINTEXT": "memcached,amqp"]) { $1 },
            "COMMERCE_DATABASE_HOST"
        ),
        ("serve", ["COMMERCE_MEMCACHED": "192.0.2.1:11211"], "COMMERCE_MEMCACHED"),
        ("work", ["COMMERCE_MEMCACHED": "cache:11211"], "COMMERCE_MEMCACHED"),
        ("work", ["COMMERCE_MEMCACHED": "[2001:db8::1]:11211"], "COMMERCE_MEMCACHED"),
        ("events list", ["COMMERCE_MEMCACHED": "[::1]:11211"], nil),
        ("events list", ["COMMERCE_MEMCACHED": "/tmp/m.sock"], nil),
        (
            "events list",
            [
                "COMMERCE_MEMCACHED": "cache:11211",
                "COMMERCE_ALLOW_PLAINTEXT": "http, memcached ,database",
            ], nil
        ),
        ("work", ["COMMERCE_AMQP_URL": "amqp://u:s3cret@mq.example"], "COMMERCE_AMQP_URL"),
        ("notify", ["COMMERCE_AMQP_URL": "amqp://u:s3cret@192.0.2.1:1/v"], "COMMERCE_AMQP_URL"),
        ("work", ["COMMERCE_AMQP_URL": "amqp://u:s3cret@[2001:db8::1]"], "COMMERCE_AMQP_URL"),
        (
            "work",
            gateway.merging(["COMMERCE_ALIMTALK_URL": "http://talk.example/send"]) { $1 },
            "COMMERCE_ALIMTALK_URL"
        ),
        (
            "notify",
            gateway.merging([
                "COMMERCE_ALIMTALK_URL": "HTTP://10.0.0.1/", "COMMERCE_AMQP_URL": "amqp://[::1]",
            ]) { $1 }, "COMMERCE_ALIMTALK_URL"
        ),
        ("events list", ["COMMERCE_ALLOW_PLAINTEXT": "all"], "COMMERCE_ALLOW_PLAINTEXT"),
        ("serve", ["COMMERCE_ALLOW_PLAINTEXT": "database;amqp"], "COMMERCE_ALLOW_PLAINTEXT"),
        ("work", ["COMMERCE_ALLOW_PLAINTEXT": "1"], "COMMERCE_ALLOW_PLAINTEXT"),
    ]

    @Test func `a setting that leads elsewhere without TLS stops the start`() throws {
        let scratch = try ScratchFolder()
        for (command, changes, setting) in Self.cases {
            let run = try Finished(
                [TestRun.commerce] + command.split(separator: " ").map(String.init),
                settings: Self.database.merging(changes) { $1 }, in: scratch.path)
            #expect(!run.errors.contains("s3cret"))
            if let setting {
                #expect(run.status == 78, "\(command) \(changes): \(run.errors)")
                #expect(run.errors.hasPrefix("commerce: \(setting) "), "\(run.errors)")
                #expect(run.errors.filter(\.isNewline).count == 1)
            } else {
                #expect(run.status == 69, "\(command) \(changes): \(run.errors)")
            }
        }
    }

    @Test func `a word for plaintext holds for all parts, and is logged as critical`() throws {
        let scratch = try ScratchFolder()
        let database = try ShopDatabase(isDemo: false, in: scratch.path)
        let words = "database,memcached,amqp,alimtalk,http"
        let gateway = Self.gateway.merging([
            "COMMERCE_ALIMTALK_URL": "http://talk.example/", "COMMERCE_MEMCACHED": "192.0.2.1:1",
            "COMMERCE_ALLOW_PLAINTEXT": words,
        ]) { $1 }
        let part = try Part.worker(database.settings().merging(gateway) { $1 }, in: scratch.path)
        part.stop()
        let log = contents(of: part.log)
        for word in ["database", "memcached", "amqp", "alimtalk"] {
            #expect(
                log.contains("\"critical\",\"message\":\"PLAINTEXT ALLOWED: \(word) "), "\(log)")
        }
    }
}
