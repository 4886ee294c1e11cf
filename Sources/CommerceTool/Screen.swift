import Glibc

/// The width of help screens.
enum Screen {
    /// Where the output is no terminal.
    private static let usualColumns = 80
    /// Below it a table is unreadable anyhow, and the parser of arguments would give up.
    private static let columnsMin = 40
    private static let columnsMax = 1_000

    /// As `COLUMNS` says, or the terminal, or 80.
    static let columns: Int = {
        let named = getenv("COLUMNS").flatMap { Int(String(cString: $0)) }
        var size = winsize()
        let isTerminal = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        let columns = named ?? (isTerminal ? Int(size.ws_col) : usualColumns)
        return min(max(columns, columnsMin), columnsMax)
    }()

    /// A table of two columns under a title, which fits the screen: what of the second column does not
    /// fit goes on below its beginning, or where too little room is left, below the first.
    static func table(
        _ title: String, _ rows: [(name: String, text: String)], columns: Int = columns
    ) -> String {
        let width = rows.map(\.name.count).max() ?? 0
        let isNarrow = columns - width < usualColumns / 2
        let indent = isNarrow ? 6 : width + 4
        // One less: the parser of arguments takes a full line for one that is too long.
        let room = max(1, columns - 1 - indent)
        let margin = String(repeating: " ", count: indent)
        let lines = rows.flatMap { name, text in
            let texts = wrapped(text, to: room)
            if isNarrow { return ["  \(name)"] + texts.map { margin + $0 } }
            let gap = String(repeating: " ", count: 2 + width - name.count)
            return ["  \(name)\(gap)\(texts[0])"] + texts.dropFirst().map { margin + $0 }
        }
        return ([title] + lines).joined(separator: "\n")
    }

    /// - Returns: one line at least.
    private static func wrapped(_ text: String, to room: Int) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ") {
            let line = lines[lines.count - 1]
            if line.isEmpty {
                lines[lines.count - 1] = String(word)
            } else if line.count + 1 + word.count <= room {
                lines[lines.count - 1] = "\(line) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
