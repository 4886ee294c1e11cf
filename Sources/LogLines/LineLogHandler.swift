public import Logging

/// Writes each message as one line.
///
/// As JSON for machines: an object with `time`, `level`, `message`, and the metadata beside them. As
/// text for people at a terminal. Numbers that are given as `.stringConvertible` stay numbers.
public struct LineLogHandler: LogHandler {
    /// How a line looks.
    public enum Format: String, Sendable, CaseIterable {
        case json, text
    }

    public var logLevel = Logger.Level.info
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    private let format: Format
    private let output: LineOutput

    /// - Parameter output: shared by all handlers of one file.
    public init(_ format: Format, to output: LineOutput) {
        self.format = format
        self.output = output
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var fields = metadata
        if let more = metadataProvider?.get() { fields.merge(more) { $1 } }
        if let more = event.metadata { fields.merge(more) { $1 } }
        if let error = event.error { fields["cause"] = "\(error)" }
        let lost = output.lostCount
        if lost > 0 { fields["lines_lost"] = .stringConvertible(lost) }
        let line = Line(
            time: Timestamp.now, level: event.level, message: event.message.description,
            fields: fields)
        output.write(line.bytes(as: format), reporting: lost)
    }
}
