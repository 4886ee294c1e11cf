import FoundationEssentials
import Testing

/// The units and the environment file that the README has, taken as they are written.
@Suite struct SystemdUnits {
    private static let readme = contents(of: TestRun.repository + "/README.md")

    /// The files that the README shows, by their paths in its first lines.
    private static func files() throws -> [String: String] {
        var files: [String: String] = [:]
        for block in readme.matches(of: #/(?m)^```(?:ini|sh)\n# (/etc/\S+)\n([\s\S]*?)^```$/#) {
            files[String(block.1)] = String(block.2)
        }
        guard files.count >= 4 else { throw Failure("the README shows \(files.keys)") }
        return files
    }

    /// What a unit says under a key, in its order.
    private static func values(of key: String, in unit: String) -> [String] {
        unit.split(separator: "\n").filter { $0.hasPrefix(key + "=") }
            .map { String($0.dropFirst(key.count + 1)) }
    }

    @Test func `systemd takes them`() throws {
        let scratch = try ScratchFolder()
        var paths: [String] = []
        for (path, text) in try Self.files() where path.hasPrefix("/etc/systemd/system/") {
            let name = try #require(path.split(separator: "/").last)
            paths.append("\(scratch.path)/\(name)")
            let unit = text.replacing("/usr/local/bin/commerce", with: TestRun.commerce)
            try Data(unit.utf8).write(to: URL(filePath: paths[paths.count - 1]))
        }
        #expect(paths.count == 3)
        let run = try Finished(
            ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"] + paths,
            settings: ["SYSTEMD_UNIT_PATH": "\(scratch.path):"], in: scratch.path)
        #expect(run.status == 0 && run.errors == "", "\(run.errors)")
    }

    @Test func `the worker starts as its unit says`() throws {
        let scratch = try ScratchFolder()
        let database = try ShopDatabase(in: scratch.path)
        let files = try Self.files()
        let unit = try #require(files["/etc/systemd/system/commerce-work.service"])
        let file = try #require(Self.values(of: "EnvironmentFile", in: unit).first)
        let lines = try #require(files[file]).split(separator: "\n").map(String.init)
        var settings: [String: String] = [:]
        for line in lines + Self.values(of: "Environment", in: unit) {
            let pair = try #require(
                line.firstMatch(of: #/^([A-Z_]+)=(?:'([^']*)'|([^'\s]+))$/#), "\(line)")
            settings[String(pair.1)] = String(pair.2 ?? pair.3 ?? "")
        }
        // Whose database it is, and folders that this machine may not have.
        let ours = try database.settings()
        #expect(Set(ours.keys).isSubset(of: settings.keys))
        settings.merge(ours) { $1 }
        for folder in ["/run/commerce-work", "/var/lib/commerce"] {
            let name = try #require(folder.split(separator: "/").last)
            #expect(unit.contains("Directory=\(name)\n"))
            settings = settings.mapValues { $0.replacing("\(folder)/", with: "\(scratch.path)/") }
        }
        let words = try #require(Self.values(of: "ExecStart", in: unit).first).split(separator: " ")
        let part = try Part(
            [TestRun.commerce] + words.dropFirst().map(String.init), settings: settings,
            log: "\(scratch.path)/work.log")
        try part.awaitLine("working")
        part.stop()
        #expect(part.ended == 0)
    }
}
