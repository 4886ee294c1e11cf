import FoundationEssentials
import Glibc
import MariaDB

/// What `script/test` prepares for a run of the tests.
package enum TestRun {
    /// The socket of a MariaDB whose owner is the system's user.
    package static let mariadbSocket = Result { try required("COMMERCE_TEST_MARIADB_SOCKET") }

    /// The folder of the run. Its path is short, because sockets lie in it.
    package static let folder = Result { try required("COMMERCE_TEST_RUN_DIR") }

    /// The program under test: beside the tests, where the same build has put it.
    package static let commerce =
        environment("COMMERCE_TEST_BINARY") ?? beside("commerce")

    /// A program of the same build.
    package static func beside(_ name: String) -> String { folderOfTheTests + "/" + name }

    /// Where the scripts and the configuration are.
    package static let repository =
        environment("COMMERCE_TEST_REPOSITORY")
        ?? String(#filePath.dropLast("/Tests/Support/ShopParts/TestRun.swift".count))

    package static let systemUser = String(cString: getpwuid(getuid()).pointee.pw_name)

    /// MariaDB as its owner sees it.
    package static func owner(of database: String?) throws -> Server {
        owner(of: database, at: try mariadbSocket.get())
    }

    /// A MariaDB as its owner sees it, who waits a minute for an answer: on a busy machine a question
    /// about a whole table may take some seconds.
    package static func owner(of database: String?, at socket: String) -> Server {
        var server = Server(
            address: .socket(path: socket), user: systemUser, password: "", database: database)
        server.readTimeoutSeconds = 60
        return server
    }

    /// A name that nothing else has: `PREFIX` and eight digits.
    package static func freshName(_ prefix: String) -> String {
        let digits = String(UInt32.random(in: 0...UInt32.max), radix: 16)
        return prefix + String(repeating: "0", count: 8 - digits.count) + digits
    }

    package static func environment(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    private static func required(_ name: String) throws -> String {
        guard let value = environment(name) else { throw Failure("run script/test") }
        return value
    }

    private static var folderOfTheTests: String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        readlink("/proc/self/exe", &path, path.count - 1)
        let name = String(decoding: path.prefix { $0 != 0 }.map { UInt8($0) }, as: UTF8.self)
        return String(name[..<(name.lastIndex(of: "/") ?? name.startIndex)])
    }
}

/// An empty folder of the run, which goes when the test lets go of it.
package final class ScratchFolder: Sendable {
    package let path: String

    package init() throws {
        path = try TestRun.folder.get() + "/" + TestRun.freshName("s")
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Why a test could not go on, in one line.
package struct Failure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Asks again and again until there is an answer or the time is over.
package func eventually<T>(
    within seconds: Double = 30, pauseMilliseconds: UInt32 = 5, _ question: () throws -> T?
) rethrows -> T? {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
        if let answer = try question() { return answer }
        if ContinuousClock.now >= deadline { return nil }
        usleep(pauseMilliseconds * 1_000)
    }
}

/// As ``eventually``, for waits of many seconds: other tests have the thread meanwhile.
package func awaited<T>(within seconds: Double, _ question: () throws -> T?) async throws -> T? {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
        if let answer = try question() { return answer }
        if ContinuousClock.now >= deadline { return nil }
        try await Task.sleep(for: .milliseconds(200))
    }
}

/// What `body` answers, and the seconds that it took.
package func timed<T>(_ body: () throws -> T) rethrows -> (T, Double) {
    let start = ContinuousClock.now
    let answer = try body()
    return (answer, start.duration(to: .now) / .seconds(1))
}

package func contents(of path: String) -> String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
}
