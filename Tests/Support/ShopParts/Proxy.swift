import Glibc
import Synchronization

/// A socket before MariaDB's or memcached's, which a test can cut, and which can lose or hold up what
/// passes.
package final class Proxy: Sendable {
    /// What is lost, once, together with its connection.
    package enum Loss { case commit, answerToCommit }

    /// An answer that is held up.
    private enum Hold: Equatable {
        case armed([UInt8])
        case holding
    }

    private struct State {
        var listener: UnixSocket?
        var pairs: [ObjectIdentifier: Pair] = [:]
        var loss: Loss?
        var hold: Hold?
        var hangs = false
        var delayMilliseconds: UInt32 = 0
        var change: Change?
    }

    /// - Returns: what the client is sent instead of an answer, in pieces; none ends the connection.
    package typealias Change = @Sendable (_ answer: [UInt8]) -> [[UInt8]]

    private final class Pair: Sendable {
        let client: UnixSocket
        let server: UnixSocket
        let losesNextAnswer = Atomic<Bool>(false)

        init(_ client: UnixSocket, _ server: UnixSocket) {
            self.client = client
            self.server = server
        }

        func hangUp() {
            client.hangUp()
            server.hangUp()
        }
    }

    private static let commit = Array("\u{3}COMMIT".utf8)

    private let path: String
    private let target: String
    private let state = Mutex(State())

    package init(at path: String, to target: String) throws {
        self.path = path
        self.target = target
        try mend()
    }

    deinit { cut() }

    /// Ends all connections and takes no new ones, like a server that was killed.
    package func cut() {
        unlink(path)
        let (listener, pairs) = state.withLock { state in
            defer { state = State() }
            return (state.listener, state.pairs.values)
        }
        listener?.hangUp()
        for pair in pairs { pair.hangUp() }
    }

    /// Ends all connections, and takes new ones.
    package func breakConnections() {
        for pair in state.withLock({ Array($0.pairs.values) }) { pair.hangUp() }
    }

    /// Holds up each answer by so much; 0 for not at all.
    package func delay(byMilliseconds delay: UInt32) {
        state.withLock { $0.delayMilliseconds = delay }
    }

    /// Lets the client have something else than what the server answers; nil for that again.
    package func change(_ change: Change?) { state.withLock { $0.change = change } }

    /// Lets nothing pass any more, like a server that hangs: it still takes connections.
    package func hang() { state.withLock { $0.hangs = true } }

    /// Takes connections again.
    package func mend() throws {
        let listener = try UnixSocket.listening(at: path)
        state.withLock { $0.listener = listener }
        TestThread.detached { [weak self] in
            while let client = listener.accept() {
                guard let self else { return }
                self.join(client)
            }
        }
    }

    /// Loses the next COMMIT, or MariaDB's answer to it; nil for none any more.
    package func lose(_ loss: Loss?) { state.withLock { $0.loss = loss } }

    /// Whether what ``lose(_:)`` announced has happened.
    package var hasLost: Bool { state.withLock { $0.loss == nil } }

    /// Holds up the first answer that contains a text, until ``release()``.
    package func hold(answerWith text: String) {
        state.withLock { $0.hold = .armed(Array(text.utf8)) }
    }

    package var isHolding: Bool { state.withLock { $0.hold == .holding } }

    package func release() { state.withLock { $0.hold = nil } }

    // MARK: - What passes

    private func join(_ client: UnixSocket) {
        guard let server = try? UnixSocket.connected(to: target) else { return }
        let pair = Pair(client, server)
        state.withLock { $0.pairs[ObjectIdentifier(pair)] = pair }
        TestThread.detached { [weak self] in
            while let self, self.passRequest(pair) {}
            self?.forget(pair)
        }
        TestThread.detached { [weak self] in
            while let self, self.passAnswer(pair) {}
            self?.forget(pair)
        }
    }

    private func forget(_ pair: Pair) {
        pair.hangUp()
        state.withLock { $0.pairs[ObjectIdentifier(pair)] = nil }
    }

    private func passRequest(_ pair: Pair) -> Bool {
        let bytes = pair.client.receive()
        if bytes.isEmpty { return false }
        if contains(bytes, Self.commit) {
            let loss = state.withLock { state in
                defer { state.loss = nil }
                return state.loss
            }
            if loss == .commit { return false }
            if loss == .answerToCommit {
                pair.losesNextAnswer.store(true, ordering: .sequentiallyConsistent)
            }
        }
        return (try? pair.server.send(bytes)) != nil
    }

    private func passAnswer(_ pair: Pair) -> Bool {
        let bytes = pair.server.receive()
        if bytes.isEmpty || pair.losesNextAnswer.load(ordering: .sequentiallyConsistent) {
            return false
        }
        let isHeld = state.withLock { state in
            guard case .armed(let text) = state.hold, contains(bytes, text) else { return false }
            state.hold = .holding
            return true
        }
        let (hangs, delay, change) = state.withLock {
            ($0.hangs, $0.delayMilliseconds, $0.change)
        }
        if hangs { return true }
        if delay > 0 { usleep(delay * 1_000) }
        if isHeld { _ = eventually(within: 20) { isHolding ? nil : true } }
        let pieces = change.map { $0(bytes) } ?? [bytes]
        for piece in pieces {
            if (try? pair.client.send(piece)) == nil { return false }
        }
        return !pieces.isEmpty
    }
}

private func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
    guard bytes.count >= part.count else { return false }
    return (0...(bytes.count - part.count)).contains { start in
        bytes[start..<(start + part.count)].elementsEqual(part)
    }
}
