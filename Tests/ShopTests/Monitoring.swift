import FoundationEssentials
import Glibc
import MariaDB

/// A real Prometheus and its exporters beside a shop, on the files of `monitoring/`.
///
/// They are made quick, and nothing else: it scrapes every two seconds and judges every second, and
/// where an alert has to hold for a minute it has to hold for two seconds. So one scrape that a busy
/// machine misses raises none. What is asked stays as it is.
final class Monitoring: Sendable {
    let mariadbExporter: Part
    let nginxExporter: Part
    private let prometheus: Part
    /// Asks Prometheus.
    let client: PrometheusClient
    private let exporter: ExporterUser

    /// Returns when Prometheus answers.
    ///
    /// - Parameter shop: one with a proxy, through which its MariaDB is looked at.
    init(of shop: Shop) throws {
        let folder = "\(shop.folder)/monitoring"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let (mariadbPort, nginxPort) = (try freePort(), try freePort())
        let port = try freePort()
        client = PrometheusClient(port: port)
        exporter = try ExporterUser(in: folder)
        mariadbExporter = try exporter.start(
            at: mariadbPort, through: "\(shop.folder)/proxy.sock", in: folder)
        nginxExporter = try Part(
            [
                "prometheus-nginx-exporter", "-web.listen-address", "127.0.0.1:\(nginxPort)",
                "-nginx.scrape-uri", "http://127.0.0.1:\(shop.port)/nginx_status",
            ], log: "\(folder)/nginx-exporter.log")
        try Self.configure(
            in: folder,
            ports: [
                8_080: shop.port, 9_090: port, 9_104: mariadbPort, 9_113: nginxPort,
            ])
        prometheus = try Part(
            [
                "prometheus", "--config.file=\(folder)/prometheus.yml",
                "--storage.tsdb.path=\(folder)/data", "--web.listen-address=127.0.0.1:\(port)",
            ], log: "\(folder)/prometheus.log")
        let status = eventually(within: 30) {
            client.isReady ? 0 : prometheus.ended
        }
        guard status == 0 else { throw Failure("Prometheus: \(contents(of: prometheus.log))") }
    }
}

/// Asks a Prometheus.
struct PrometheusClient: Sendable {
    /// A series and its value now.
    struct Sample: Sendable, Decodable {
        let metric: [String: String]
        let value: Double

        private enum Key: CodingKey { case metric, value }

        init(from decoder: any Decoder) throws {
            let sample = try decoder.container(keyedBy: Key.self)
            metric = try sample.decode([String: String].self, forKey: .metric)
            var pair = try sample.nestedUnkeyedContainer(forKey: .value)
            _ = try pair.decode(Double.self)  // The time.
            value = Double(try pair.decode(String.self)) ?? .nan
        }
    }

    /// What the API wraps its answers in.
    private struct Reply<Content: Decodable>: Decodable { let data: Content }

    let port: UInt16

    var isReady: Bool { (try? get("/-/ready"))?.status == 200 }

    /// The answer of an instant query, without what is not a number.
    func query(_ expression: String) throws -> [Sample] {
        struct Vector: Decodable { let result: [Sample] }
        let encoded = expression.utf8.map { byte in
            (byte < 16 ? "%0" : "%") + String(byte, radix: 16)
        }
        let answer = try get("/api/v1/query?query=\(encoded.joined())")
        guard answer.status == 200 else { throw Failure("\(expression): \(answer.text)") }
        return try JSONDecoder().decode(Reply<Vector>.self, from: Data(answer.body)).data.result
            .filter { !$0.value.isNaN }
    }

    /// The names of the alerts that are told to people.
    func firing() throws -> Set<String> {
        struct Alert: Decodable {
            let labels: [String: String]
            let state: String
        }
        struct Alerts: Decodable { let alerts: [Alert] }
        let answer = try get("/api/v1/alerts")
        let alerts = try JSONDecoder().decode(Reply<Alerts>.self, from: Data(answer.body)).data
            .alerts
        return Set(alerts.filter { $0.state == "firing" }.compactMap { $0.labels["alertname"] })
    }

    /// In HTTP/1.0, whose answers come in one piece.
    private func get(_ path: String) throws -> Answer {
        try Client(port: port).exchange(Array("GET \(path) HTTP/1.0\r\n\r\n".utf8))
    }
}

// MARK: - The files

extension Monitoring {
    private static let folder = TestRun.repository + "/monitoring"

    /// The names of all alerts.
    static var alerts: Set<String> {
        Set(contents(of: "\(folder)/alerts.yml").matches(of: /- alert: (\w+)/).map { "\($0.1)" })
    }

    /// What the panels of the dashboard ask.
    static func dashboardQueries() throws -> [String] {
        struct Dashboard: Decodable {
            struct Panel: Decodable {
                struct Target: Decodable { let expr: String }
                let targets: [Target]?
            }
            let panels: [Panel]
        }
        let file = contents(of: "\(folder)/grafana/dashboards/commerce.json")
        return try JSONDecoder().decode(Dashboard.self, from: Data(file.utf8))
            .panels.flatMap { ($0.targets ?? []).map(\.expr) }
    }

    /// Copies the files, made quick, with the ports of a shop for the usual ones.
    private static func configure(in copy: String, ports: [UInt16: UInt16]) throws {
        let rules = contents(of: "\(folder)/alerts.yml")
            .replacing(/for: (\d+)m\n/) { "for: \(2 * (Int($0.1) ?? 0))s\n" }
        var file = contents(of: "\(folder)/prometheus.yml")
            .replacing(/\n  # (- job_name: notify|  )/) { "\n  \($0.1)" }
        for (usual, quick) in [
            ("scrape_interval: 15s", "scrape_interval: 2s"),
            ("scrape_timeout: 10s", "scrape_timeout: 2s"),
            ("evaluation_interval: 15s", "evaluation_interval: 1s"),
        ] {
            guard file.contains(usual) else { throw Failure("prometheus.yml has no '\(usual)'") }
            file.replace(usual, with: quick)
        }
        file = try file.replacing(/\n      - targets: \["127\.0\.0\.1:(\d+)"\]/) { match in
            guard let port = UInt16(match.1).flatMap({ ports[$0] }) else {
                throw Failure("prometheus.yml asks port \(match.1)")
            }
            return "\n      - targets: [\"127.0.0.1:\(port)\"]"
        }
        try Data(rules.utf8).write(to: URL(filePath: "\(copy)/alerts.yml"))
        try Data(file.utf8).write(to: URL(filePath: "\(copy)/prometheus.yml"))
    }
}

/// The database user of the exporter, made by the project's script; it goes when the test lets go.
private final class ExporterUser: Sendable {
    private let name = TestRun.freshName("exporter_")
    private let password = TestRun.freshName("") + TestRun.freshName("")

    init(in folder: String) throws {
        let finished = try Finished(
            ["\(TestRun.repository)/sql/exporter-user.sh"]
                + ShopDatabase.options(of: TestRun.mariadbSocket.get()),
            settings: ["COMMERCE_EXPORTER_USER": name, "COMMERCE_EXPORTER_PASSWORD": password],
            in: folder)
        guard finished.status == 0 else { throw Failure(finished.errors) }
    }

    deinit {
        guard let connection = try? Connection(to: TestRun.owner(of: nil)) else { return }
        _ = try? connection.execute("DROP USER IF EXISTS \(name)@localhost")
    }

    func start(at port: UInt16, through socket: String, in folder: String) throws -> Part {
        let file = "\(folder)/exporter.cnf"
        let settings = "[client]\nsocket=\(socket)\nuser=\(name)\npassword=\(password)\n"
        try Data(settings.utf8).write(to: URL(filePath: file))
        return try Part(
            [
                "prometheus-mysqld-exporter", "--config.my-cnf=\(file)",
                "--web.listen-address=127.0.0.1:\(port)", "--no-collect.slave_status",
                "--no-collect.info_schema.innodb_cmp", "--no-collect.info_schema.innodb_cmpmem",
                "--no-collect.info_schema.query_response_time",
            ], log: "\(folder)/mariadb-exporter.log")
    }
}
