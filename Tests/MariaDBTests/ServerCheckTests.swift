import Testing

@testable import MariaDB

@Suite struct ServerChecks {
    @Test func `the test server is fit to serve`() throws {
        let database = try TestDatabase()
        let check = try ServerCheck.inspect(database.connect())
        #expect(check.version.contains("MariaDB"))
    }

    @Test(arguments: ["10.5.28-MariaDB", "8.0.36", "9.1.0-MariaDB", "MariaDB"])
    func `an old or another server is refused`(version: String) {
        #expect(throws: DatabaseError.self) { try ServerCheck.judge(.good(version)) }
    }

    @Test(arguments: ["10.8.2-MariaDB", "10.11.6-MariaDB-0+deb12u1-log", "11.4.2-MariaDB"])
    func `a newer server is taken without a warning`(version: String) throws {
        #expect(try ServerCheck.judge(.good(version)).warnings == [])
    }

    @Test func `each promise the server weakens is a warning`() throws {
        var settings = ServerCheck.Settings.good("10.11.6-MariaDB")
        settings.flushLogAtCommit = 2
        settings.syncBinaryLog = 0
        #expect(try ServerCheck.judge(settings).warnings.count == 1)
        settings.hasBinaryLog = true
        settings.isReadOnly = true
        #expect(try ServerCheck.judge(settings).warnings.count == 3)
    }
}

extension ServerCheck.Settings {
    fileprivate static func good(_ version: String) -> ServerCheck.Settings {
        ServerCheck.Settings(
            version: version, flushLogAtCommit: 1, hasBinaryLog: false, syncBinaryLog: 0,
            isReadOnly: false)
    }
}
