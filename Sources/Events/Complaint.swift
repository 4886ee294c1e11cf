/// What was said of a failure that lasts: that it began, and each of its causes once.
struct Complaint: Sendable {
    /// A failure that has a new cause each time is not told at more length.
    private static let causesMax = 8

    private var said: Set<String> = []

    /// Whether a cause is to be said, which then is.
    mutating func isNews(_ cause: String) -> Bool {
        said.count < Self.causesMax && said.insert(cause).inserted
    }

    /// All is well again.
    ///
    /// - Returns: whether there was anything to complain of.
    mutating func ends() -> Bool {
        defer { said = [] }
        return !said.isEmpty
    }
}
