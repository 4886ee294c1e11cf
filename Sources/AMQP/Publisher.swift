import Threads

/// Publishes messages that the broker has to confirm, many on the way at once.
public final class Publisher {
    /// What became of a message.
    public enum Outcome: Sendable, Equatable {
        /// It is in every queue that takes it, on the disks of most of a quorum queue's nodes.
        case confirmed
        /// No queue takes it; in the broker's words.
        case returned(String)
        /// The broker could not take it over.
        case unconfirmed
        /// The connection broke or the time was over: it may have arrived or not.
        case unknown(AMQPError)
    }

    /// Messages on the way: enough that their number does not matter to the time of a round trip,
    /// and few enough that what the broker returns fits into the sockets' buffers.
    private static let windowMax = 256

    private let connection: Connection
    /// The number of the next message, as the broker counts them.
    private var nextTag: UInt64 = 1
    /// After an error the connection is not used again: which messages came through is unknown.
    public private(set) var isUsable = true

    /// Takes a connection over.
    public init(_ connection: Connection) throws(AMQPError) {
        self.connection = connection
        try connection.selectConfirms()
    }

    /// Asks the broker for a sign of life.
    ///
    /// - Parameter queue: one that is there.
    public func look(for queue: String) throws(AMQPError) {
        do throws(AMQPError) {
            _ = try connection.messageCount(of: queue)
        } catch {
            isUsable = false
            throw error
        }
    }

    /// Sends messages and waits for the broker's word on each.
    ///
    /// - Parameters:
    ///   - messages: with their routing keys. Their ids differ. One that is mandatory must be taken by
    ///     some queue, or it is returned.
    ///   - milliseconds: for all of them; then the connection is given up.
    /// - Returns: an outcome for each, in their order.
    public func publish(
        _ messages: [(message: Message, key: String, isMandatory: Bool)], to exchange: String,
        withinMilliseconds milliseconds: Int
    ) -> [Outcome] {
        let deadline = MonotonicTime.now.advanced(byMilliseconds: milliseconds)
        var outcomes: [Outcome] = []
        var rest = messages[...]
        while !rest.isEmpty {
            var window = Window(rest.prefix(Self.windowMax).map(\.message.id), firstTag: nextTag)
            do throws(AMQPError) {
                guard isUsable else { throw AMQPError(.unreachable, "the connection broke") }
                for (message, key, isMandatory) in rest.prefix(Self.windowMax) {
                    try connection.send(message, to: exchange, key: key, mandatory: isMandatory)
                    nextTag += 1
                }
                try awaitConfirms(of: &window, until: deadline)
            } catch {
                isUsable = false
                window.end(with: error)
            }
            outcomes += window.outcomes
            rest = rest.dropFirst(Self.windowMax)
        }
        return outcomes
    }

    private func awaitConfirms(
        of window: inout Window, until deadline: MonotonicTime
    ) throws(AMQPError) {
        while !window.isSettled {
            // Looked at here as well: a broker may send without end what confirms nothing.
            guard .now < deadline, let frame = try connection.nextFrame(until: deadline) else {
                throw AMQPError(.unreachable, "no confirm in time")
            }
            do throws(AMQPError) {
                try window.take(frame)
            } catch {
                throw connection.fail(error)
            }
        }
    }
}

/// Messages that wait for their confirms.
///
/// The broker confirms in any order, several at once, and returns a message before it confirms it.
private struct Window {
    private let ids: [String]
    private let firstTag: UInt64
    private var settled: [Publisher.Outcome?]
    private var settledCount = 0
    /// By id, why a message came back.
    private var returned: [String: String] = [:]
    /// Why the message came back whose header comes next.
    private var returning: String?

    init(_ ids: [String], firstTag: UInt64) {
        self.ids = ids
        self.firstTag = firstTag
        settled = Array(repeating: nil, count: ids.count)
    }

    var isSettled: Bool { settledCount == ids.count }

    /// One for each; those that are not settled have none yet, so all must be.
    var outcomes: [Publisher.Outcome] { settled.compactMap(\.self) }

    /// - Throws: for a frame that makes no sense here.
    mutating func take(_ frame: Frame) throws(AMQPError) {
        switch frame {
        case .confirmed(let tag, let multiple):
            try settle(tag, multiple, isConfirmed: true)
        case .unconfirmed(let tag, let multiple):
            try settle(tag, multiple, isConfirmed: false)
        case .returned(let reason): returning = reason
        case .header(let message, _):
            guard let reason = returning else {
                throw AMQPError(unexpected: "a header of no message")
            }
            returned[message.id] = reason
            returning = nil
        case .body, .delivered, .other: break
        }
    }

    mutating func end(with error: AMQPError) {
        for index in ids.indices { settle(index, .unknown(error)) }
    }

    /// - Parameter tag: 0 with `multiple` stands for all (AMQP 0-9-1, basic.ack).
    private mutating func settle(
        _ tag: UInt64, _ multiple: Bool, isConfirmed: Bool
    ) throws(AMQPError) {
        guard let last = place(of: tag, multiple) else {
            throw AMQPError(unexpected: "a confirm of message \(tag), which waits for none")
        }
        for index in multiple ? 0...last : last...last {
            let outcome: Publisher.Outcome =
                if let reason = returned[ids[index]] {
                    .returned(reason)
                } else {
                    isConfirmed ? .confirmed : .unconfirmed
                }
            settle(index, outcome)
        }
    }

    /// - Returns: nil for the number of no message of the window.
    private func place(of tag: UInt64, _ multiple: Bool) -> Int? {
        if tag == 0 && multiple { return ids.indices.last }
        let (place, isBefore) = tag.subtractingReportingOverflow(firstTag)
        return isBefore || place >= ids.count ? nil : Int(place)
    }

    private mutating func settle(_ index: Int, _ outcome: Publisher.Outcome) {
        guard settled[index] == nil else { return }
        settled[index] = outcome
        settledCount += 1
    }
}
