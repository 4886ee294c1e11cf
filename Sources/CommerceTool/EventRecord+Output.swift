import Commerce
import FoundationEssentials
import Store

// How events are printed: lines for people, and JSON for programs.

extension EventRecord {
    /// A line a delivery; one line where there is none yet.
    var lines: [String] {
        let head = [
            event.id.lowercased, event.createdAt.rfc3339,
            event.type.rawValue.padded(to: 15), about.padded(to: 14),
        ].joined(separator: "  ")
        if deliveries.isEmpty { return ["\(head)  not dispatched yet"] }
        return deliveries.map { "\(head)  \($0.line)" }
    }

    /// All there is to know.
    var page: [String] {
        let head = [
            "id        \(event.id.lowercased)",
            "type      \(event.type.rawValue), version \(event.version)",
            "about     \(about)",
            "happened  \(event.createdAt.rfc3339)",
            "trace     \(event.traceID?.description ?? "none")",
            "data      \(String(decoding: event.payload, as: UTF8.self))",
            "",
        ]
        return head + (deliveries.isEmpty ? ["not dispatched yet"] : deliveries.map(\.line))
    }

    /// `{"event": as receivers get it, "deliveries": […]}`.
    var json: String {
        let event = String(decoding: event.envelope, as: UTF8.self)
        return #"{"event":\#(event),"deliveries":\#(deliveries.map(Document.init).json)}"#
    }

    private var about: String {
        let noun =
            switch event.aggregate {
            case .order: "order"
            case .user: "user"
            }
        return "\(noun) \(event.aggregateID)"
    }
}

extension DeliveryRecord {
    fileprivate var line: String {
        var line = "\(target.name.padded(to: 12))  \(state.rawValue.padded(to: 9))"
        line += "  \(attempts) \(attempts == 1 ? "attempt" : "attempts"), "
        line += finishedAt.map { "ended \($0.rfc3339)" } ?? "due \(dueAt.rfc3339)"
        return line + (lastError.map { ": \($0)" } ?? "")
    }
}

/// A delivery in JSON.
private struct Document: Encodable {
    let targetId: Int64
    let state: String
    let attempts: Int
    let dueAt: String?
    let finishedAt: String?
    let lastError: String?

    init(_ delivery: DeliveryRecord) {
        targetId = delivery.target.number
        state = delivery.state.rawValue
        attempts = delivery.attempts
        dueAt = delivery.finishedAt == nil ? delivery.dueAt.rfc3339 : nil
        finishedAt = delivery.finishedAt?.rfc3339
        lastError = delivery.lastError
    }
}

extension [Document] {
    fileprivate var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        } catch {
            preconditionFailure("Strings and numbers are JSON: \(error)")
        }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }
}
