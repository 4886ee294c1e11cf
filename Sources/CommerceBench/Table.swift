/// Text in columns: the first is set left, the others right.
struct Table {
    private var rows: [[String]]

    init(_ heads: [String]) {
        rows = [heads]
    }

    mutating func add(_ row: [String]) {
        precondition(row.count == rows[0].count, "a row has as many cells as there are heads")
        rows.append(row)
    }

    var text: String {
        let widths = rows[0].indices.map { column in
            rows.map { $0[column].count }.max() ?? 0
        }
        return rows.map { row in
            zip(row, widths).enumerated().map { index, cell in
                let (text, width) = cell
                let padding = String(repeating: " ", count: width - text.count)
                return index == 0 ? text + padding : padding + text
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}

extension Double {
    /// With so many places after the point.
    func rounded(places: Int) -> String {
        let factor = places == 0 ? 1 : (0..<places).reduce(1) { product, _ in product * 10 }
        let scaled = Int((self * Double(factor)).rounded())
        guard places > 0 else { return "\(scaled)" }
        let digits = String(scaled.magnitude % factor.magnitude)
        let fraction = String(repeating: "0", count: places - digits.count) + digits
        return "\(scaled < 0 ? "-" : "")\(scaled.magnitude / factor.magnitude).\(fraction)"
    }

    /// Milliseconds, as precise as they are interesting.
    var milliseconds: String { rounded(places: self < 10 ? 2 : self < 100 ? 1 : 0) }
}
