import FoundationEssentials
import Testing

@testable import CommerceTool

/// A setting that is misspelt is not ignored in silence.
@Suite struct MisspeltSettings {
    @Test(arguments: [
        ("COMMERCE_WORKRES", "COMMERCE_WORKERS"), ("COMMERCE_WORKER", "COMMERCE_WORKERS"),
        ("COMMERCE_DATABASE_PASWORD", "COMMERCE_DATABASE_PASSWORD"),
        ("COMMERCE_DB_SOCKET", nil), ("COMMERCE_MAGIC", nil),
        ("commerce_workers", "COMMERCE_WORKERS"),
        ("COMERCE_WORKERS", "COMMERCE_WORKERS"), ("COMMERCE_", nil),
        ("COMMERCE_WEBHOOK_ALLOW_PRIVATE", "COMMERCE_WEBHOOKS_ALLOW_PRIVATE"),
    ])
    func `it is named with the one that was meant`(name: String, meant: String?) {
        let warnings = UnknownSettings(among: [name, "PATH", "HOME"]).warnings
        let guess = meant.map { "; did you mean \($0)?" } ?? ""
        #expect(warnings == ["\(name) is not a setting, and is ignored\(guess)"])
    }

    @Test func `a setting that the program, the scripts or the tests read is no mistake`() throws {
        var names = Set(Setting.allCases.map(\.rawValue) + ["PATH", "COMMERCE_TEST_SEED", "E"])
        for folder in ["script", "sql"] {
            let path = "\(TestRun.repository)/\(folder)"
            for file in try FileManager.default.contentsOfDirectory(atPath: path) {
                let text = contents(of: "\(path)/\(file)")
                names.formUnion(
                    text.matches(of: /COMMERCE_[A-Z_]*[A-Z]\b/).map { String($0.output) })
            }
        }
        #expect(names.count > 40)
        #expect(UnknownSettings(among: Array(names)).warnings == [])
    }

    @Test func `a process says it in its log, and a command before its output`() throws {
        let scratch = try ScratchFolder()
        let database = try ShopDatabase(isDemo: false, in: scratch.path)
        let settings = try database.settings().merging(["COMMERCE_WORKRES": "s3cret"]) { $1 }
        let words = "COMMERCE_WORKRES is not a setting, and is ignored; did you mean "
        let part = try Part.worker(settings, in: scratch.path)
        part.stop()
        #expect(contents(of: part.log).contains(#""level":"warning","message":""# + words))
        let run = try Finished(
            [TestRun.commerce, "events", "list"], settings: settings, in: scratch.path)
        #expect(run.status == 0 && run.errors == "commerce: \(words)COMMERCE_WORKERS?\n")
        #expect(!contents(of: part.log).contains("s3cret"))
    }
}
