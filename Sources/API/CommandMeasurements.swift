import Commerce
import Metrics

/// Counts what becomes of commands, and of the keys that they bear.
struct CommandMeasurements: Sendable {
    /// How a command ended.
    enum End: Int, CaseIterable {
        case accepted, refused, replayed, inProgress, keyReused, failed

        /// As metrics show commands.
        fileprivate var result: String {
            switch self {
            case .accepted: "accepted"
            case .refused, .inProgress, .keyReused: "refused"
            case .replayed: "replayed"
            case .failed: "failed"
            }
        }

        /// As metrics show keys.
        fileprivate var use: String {
            switch self {
            case .accepted, .refused, .failed: "first"
            case .replayed: "replayed"
            case .inProgress: "in_progress"
            case .keyReused: "reused"
            }
        }
    }

    private static let kinds = ["charge", "order", "cancel"]

    /// By kind, then by end. Several ends are one series.
    private let commands: [[Counter]]
    /// By end.
    private let keys: [Counter]

    init() {
        commands = Self.kinds.map { kind in
            End.allCases.map { end in
                Counter(
                    label: "commerce_commands_total",
                    dimensions: [("kind", kind), ("result", end.result)])
            }
        }
        keys = End.allCases.map { end in
            Counter(label: "commerce_idempotency_total", dimensions: [("result", end.use)])
        }
    }

    func count(_ command: Command, _ end: End) {
        commands[command.action.kind][end.rawValue].increment()
        if command.idempotency != nil { keys[end.rawValue].increment() }
    }
}

extension Command.Action {
    /// An index of ``CommandMeasurements/kinds``.
    fileprivate var kind: Int {
        switch self {
        case .charge: 0
        case .order: 1
        case .cancel: 2
        }
    }
}
