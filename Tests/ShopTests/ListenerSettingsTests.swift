import FoundationEssentials
import Testing

/// Where `script/server` lets nginx listen, by its settings.
@Suite struct ListenerSettings {
    private let scratch: ScratchFolder
    private let port: UInt16

    init() throws {
        scratch = try ScratchFolder()
        port = try freePort()
    }

    /// Configures an nginx as `script/server` does.
    ///
    /// - Returns: what came of it, and what the program would get of the settings.
    private func configure(_ settings: [String: String]) throws -> Finished {
        let script = """
            cd "\(TestRun.repository)" && . script/lib.sh && . script/parts.sh && read_listener &&
            configure_nginx "\(scratch.path)" \(port) && env | grep ^COMMERCE_ || true
            """
        return try Finished(["bash", "-c", script], settings: settings, in: scratch.path)
    }

    /// What nginx answers there, asked by curl.
    private func status(_ arguments: String...) throws -> String {
        try Finished(
            ["curl", "-skg", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*"]
                + arguments, in: scratch.path
        ).output
    }

    private func startNginx() throws -> Part {
        let place = "\(scratch.path)/nginx"
        let part = try Part(
            ["nginx", "-p", place, "-c", "\(place)/nginx.conf", "-g", "daemon off; user root;"],
            log: "\(place)/start.log")
        let answers = try eventually {
            try status("http://127.0.0.1:\(port)/nginx_status") == "200" ? true : nil
        }
        #expect(answers == true, "\(contents(of: part.log)) \(contents(of: place + "/error.log"))")
        return part
    }

    @Test func `without settings only this machine reaches the shop`() throws {
        let configured = try configure([:])
        #expect(configured.status == 0 && configured.output == "", "\(configured.errors)")
        let nginx = try startNginx()
        defer { nginx.stop() }
        #expect(try status("http://127.0.0.2:\(port)/nginx_status") == "000")
        guard hasIPv6 else { return }
        #expect(try status("http://[::1]:\(port)/nginx_status") == "200")
    }

    @Test func `beyond this machine it needs TLS, or a word that it is meant`() throws {
        for address in ["0.0.0.0", "::", "[::]", "192.0.2.1", "fd00::2", "127.0.0.1, 10.0.0.1"] {
            let refused = try configure(["COMMERCE_LISTEN": address])
            #expect(refused.status == 1 && refused.output == "")
            #expect(refused.errors.contains("without TLS"), "\(refused.errors)")
            #expect(refused.errors.split(separator: "\n").count == 1)
            let other = try configure([
                "COMMERCE_LISTEN": address, "COMMERCE_ALLOW_PLAINTEXT": "database,https",
            ])
            #expect(other.status == 1)
        }
        let meant = try configure([
            "COMMERCE_LISTEN": "0.0.0.0", "COMMERCE_ALLOW_PLAINTEXT": "amqp,http",
            "COMMERCE_SERVER_NAME": "Shop.example, other.example",
        ])
        #expect(meant.status == 0 && meant.output == "", "\(meant.errors)")
        let nginx = try startNginx()
        defer { nginx.stop() }
        let other = "http://127.0.0.2:\(port)/nginx_status"
        #expect(try status(other) == "421")
        #expect(try status("-H", "Host: shop.example:80", other) == "200")
        #expect(try status("-H", "Host: OTHER.EXAMPLE", other) == "200")
    }

    @Test func `with a certificate it speaks TLS there, and plainly on loopback`() throws {
        let (certificate, key) = ("\(scratch.path)/c.pem", "\(scratch.path)/k.pem")
        let made = try Finished(
            [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                "/CN=localhost", "-keyout", key, "-out", certificate,
            ], in: scratch.path)
        try #require(made.status == 0, "\(made.errors)")
        let configured = try configure([
            "COMMERCE_LISTEN": "0.0.0.0 127.0.0.1", "COMMERCE_TLS_CERTIFICATE": certificate,
            "COMMERCE_TLS_KEY": key, "COMMERCE_SERVER_NAME": "127.0.0.2",
        ])
        #expect(configured.status == 0 && configured.output == "", "\(configured.errors)")
        let nginx = try startNginx()
        defer { nginx.stop() }
        #expect(try status("https://127.0.0.2:\(port)/nginx_status") == "200")
        #expect(try status("http://127.0.0.2:\(port)/nginx_status") == "400")
        // Its own pages are of https there.
        let post = ["-X", "POST", "-H"]
        let url = "https://127.0.0.2:\(port)/nginx_status"
        #expect(try status(post[0], post[1], post[2], "Origin: http://127.0.0.2", url) == "403")
        #expect(
            try status(post[0], post[1], post[2], "Origin: https://127.0.0.2:\(port)", url)
                != "403")
    }

    @Test func `a setting that makes no sense is one line`() throws {
        for (name, value) in [
            ("COMMERCE_LISTEN", "localhost"), ("COMMERCE_LISTEN", "1.2.3.400"),
            ("COMMERCE_LISTEN", "127.0.0.1:80"), ("COMMERCE_LISTEN", "*"),
            ("COMMERCE_SERVER_NAME", "shop.example:80"), ("COMMERCE_SERVER_NAME", "a;b"),
            ("COMMERCE_SERVER_NAME", "*.example"), ("COMMERCE_TLS_KEY", "/etc/hostname"),
            ("COMMERCE_TLS_CERTIFICATE", "/etc/hostname"),
        ] {
            let refused = try configure([name: value])
            #expect(refused.status == 1, "\(name)=\(value)")
            #expect(refused.errors.contains(name), "\(refused.errors)")
            #expect(refused.errors.split(separator: "\n").count == 1, "\(refused.errors)")
        }
    }
}
