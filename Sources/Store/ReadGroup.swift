import Synchronization

/// Makes reads together that come at the same time: group commit's counterpart.
///
/// Who comes while nobody reads leads: reads at once, on the caller's own thread. Who comes
/// meanwhile leaves a ticket and goes, and the leader then reads for all of them with one question.
/// So a lone read costs no change of threads, and a busy shop asks few questions. What a read
/// returns was read after the read was asked for.
final class ReadGroup<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    typealias Continuation = @Sendable (Result<Value?, any Error>) -> Void

    private struct Ticket {
        let key: Key
        let then: Continuation
    }

    private struct Queue {
        var tickets: [Ticket] = []
        var hasLeader = false

        /// - Returns: whether there is something to read and nobody who does.
        mutating func takeLead() -> Bool {
            guard !hasLeader, !tickets.isEmpty else { return false }
            hasLeader = true
            return true
        }
    }

    /// A ticket with what became of it.
    private typealias Told = (ticket: Ticket, result: Result<Value?, any Error>)

    private let queue = Mutex(Queue())
    private let keysMax: Int
    private let values: @Sendable ([Key]) throws -> [Key: Value]

    /// - Parameters:
    ///   - keysMax: keys of one question.
    ///   - values: the values that are there among these keys, all different, at this time.
    init(
        keysMax: Int = 128, _ values: @escaping @Sendable ([Key]) throws -> [Key: Value]
    ) {
        self.keysMax = keysMax
        self.values = values
    }

    /// Reads the value of a key, or nil where there is none, and tells it on this or another
    /// reader's thread.
    ///
    /// A failure, or a value that is not there, is told after the lead was handed on: it may be
    /// followed by something slow, for which those who wait for their values need not wait.
    func read(_ key: Key, then: @escaping Continuation) {
        var leads = queue.withLock { queue in
            queue.tickets.append(Ticket(key: key, then: then))
            return queue.takeLead()
        }
        while leads {
            for (ticket, result) in lead() { ticket.then(result) }
            leads = queue.withLock { queue in queue.takeLead() }
        }
    }

    /// Reads for those who wait, until there is nobody or somebody's value is not there.
    ///
    /// - Returns: who has still to be told.
    private func lead() -> [Told] {
        while let tickets = nextBatch() {
            let others = answer(tickets)
            guard others.isEmpty else {
                queue.withLock { queue in queue.hasLeader = false }
                return others
            }
        }
        return []
    }

    /// - Returns: nil when nobody waits, and then there is no leader any more.
    private func nextBatch() -> ArraySlice<Ticket>? {
        queue.withLock { queue in
            let batch = queue.tickets.prefix(keysMax)
            queue.tickets.removeFirst(batch.count)
            queue.hasLeader = !batch.isEmpty
            return batch.isEmpty ? nil : batch
        }
    }

    private func answer(_ tickets: ArraySlice<Ticket>) -> [Told] {
        do {
            let values = try values(Array(Set(tickets.map(\.key))))
            var others: [Told] = []
            for ticket in tickets {
                if let value = values[ticket.key] {
                    ticket.then(.success(value))
                } else {
                    others.append((ticket, .success(nil)))
                }
            }
            return others
        } catch {
            return tickets.map { ticket in (ticket, .failure(error)) }
        }
    }
}
