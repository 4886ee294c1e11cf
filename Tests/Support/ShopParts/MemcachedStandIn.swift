import Glibc
import Synchronization

/// Something at memcached's socket that answers every command with the same bytes, whether they make
/// sense there or not.
package final class MemcachedStandIn: Sendable {
    /// Every line that some command is answered with, as some command must not be, and what no
    /// memcached says. `KEY` stands for the key that the command names.
    package static let answers = [
        "OK\r\n", "END\r\n", "DELETED\r\n", "TOUCHED\r\n", "STORED\r\n", "NOT_STORED\r\n",
        "EXISTS\r\n", "NOT_FOUND\r\n", "ERROR\r\n", "CLIENT_ERROR x\r\n", "SERVER_ERROR x\r\n",
        "17\r\n", "-1\r\n", "VERSION 1.6.18\r\n", "STAT pid 1\r\nEND\r\n", "HD\r\n", "\r\n",
        "VALUE KEY 0 -1\r\n", "VALUE KEY 0 -1 1\r\nabc\r\nEND\r\n",
        "VALUE KEY 0 99999999999999999999 1\r\nabc\r\nEND\r\n",
        "VALUE KEY 0 1048577 1\r\nabc\r\nEND\r\n", "VALUE KEY 0 2 1\r\nabc\r\nEND\r\n",
        "VALUE KEY 0 4 1\r\nabc\r\nEND\r\n", "VALUE KEY 0 3 1\r\nabc\r\n",
        "VALUE KEY 4294967296 3 1\r\nabc\r\nEND\r\n",
        "VALUE KEY 0 3 18446744073709551616\r\nabc\r\nEND\r\n",
        "VALUE KEY 0 3 1 1\r\nabc\r\nEND\r\n", "VALUE KEY  3 1\r\nabc\r\nEND\r\n",
        "VALUE another 0 3 1\r\nabc\r\nEND\r\n", "VALUE KEY 0 3 1\r\nabc\r\nEND\r\nEND\r\n",
        "VALUE KEY 0 3 1\r\nabc\r\nVALUE KEY 0 3 1\r\nabc\r\nEND\r\n", "END\n", "END\r\r\n",
        "\u{0}\u{1}\u{7F}\r\n", "키\r\n", "END", "", String(repeating: "x", count: 100_000),
        "VALUE " + String(repeating: "k", count: 100_000) + " 0 3 1\r\nabc\r\nEND\r\n",
    ]

    private let path: String
    private let listener: UnixSocket
    private let connections = Mutex<[UnixSocket]>([])
    private let said: Mutex<String>

    /// Listens at once.
    package init(at path: String, answering answer: String = "") throws {
        self.path = path
        said = Mutex(answer)
        let listener = try UnixSocket.listening(at: path)
        self.listener = listener
        TestThread.detached { [weak self] in
            while let connection = listener.accept() {
                guard let self else { return }
                self.connections.withLock { $0.append(connection) }
                TestThread.detached { [weak self] in
                    while let self, self.answer(on: connection) {}
                }
            }
        }
    }

    deinit {
        unlink(path)
        listener.hangUp()
        for connection in connections.withLock({ $0 }) { connection.hangUp() }
    }

    /// What each command is answered with from now on.
    package func say(_ answer: String) { said.withLock { $0 = answer } }

    private func answer(on connection: UnixSocket) -> Bool {
        let request = String(decoding: connection.receive(), as: UTF8.self)
        if request.isEmpty { return false }
        let words = request.split(whereSeparator: \.isWhitespace)
        let key = words.count > 1 ? String(words[1]) : ""
        let answer = said.withLock { $0 }.replacing("KEY", with: key)
        return (try? connection.send(Array(answer.utf8))) != nil
    }
}
