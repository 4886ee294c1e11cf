import MariaDB

/// Lists of values in SQL, of few different lengths, so that few statements are prepared: a list is
/// padded to the next power of two by repeating its last value.
enum Batch {
    static func placeholders(
        _ count: Int, of place: String = "?", separator: String = ", "
    ) -> String {
        String(repeating: place + separator, count: paddedCount(count) - 1) + place
    }

    static func padded(_ numbers: [Int64]) -> [Value] {
        padded(numbers.map(Value.integer))
    }

    static func padded<Element>(_ elements: [Element]) -> [Element] {
        guard let last = elements.last else { preconditionFailure("a list in SQL is not empty") }
        return elements
            + Array(repeating: last, count: paddedCount(elements.count) - elements.count)
    }

    private static func paddedCount(_ count: Int) -> Int {
        var padded = 1
        while padded < count { padded *= 2 }
        return padded
    }
}
