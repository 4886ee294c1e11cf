import Commerce
import MariaDB

/// Lists of values in SQL: bounded, and of few different lengths, so that few statements are prepared.
///
/// There is no other way to such a list, so none has more elements than a statement may have.
enum Batch {
    /// Elements of one statement. MariaDB takes 65,535 `?` in one (`ER_PS_MANY_PARAM`, 1390), and an
    /// element has up to four here.
    static let elementsMax = 4_096

    /// Asks about a list, in as many questions as it takes, and returns all their rows in order.
    ///
    /// The places are padded to the next power of two by repeating the last element.
    ///
    /// - Parameters:
    ///   - place: of one element.
    ///   - ask: gets the places for the SQL, and the elements whose values go there.
    static func asking<Element, Row>(
        about elements: [Element], of place: String = "?", separator: String = ", ",
        _ ask: (_ places: String, _ elements: [Element]) throws(DatabaseError) -> [Row]
    ) throws(DatabaseError) -> [Row] {
        var rows: [Row] = []
        var rest = elements[...]
        while !rest.isEmpty {
            let part = padded(rest.prefix(elementsMax), of: place, separator: separator)
            rest = rest.dropFirst(elementsMax)
            rows += try ask(part.places, part.elements)
        }
        return rows
    }

    /// Changes the rows of a list, in as many statements as it takes.
    ///
    /// - Returns: how many rows, all statements together.
    @discardableResult
    static func changing<Element>(
        _ elements: [Element],
        _ change: (_ places: String, _ elements: [Element]) throws(DatabaseError) -> Int
    ) throws(DatabaseError) -> Int {
        try asking(about: elements) { places, elements throws(DatabaseError) in
            [try change(places, elements)]
        }.reduce(0, +)
    }

    /// A list that stands among other conditions, and that its caller bounds.
    static func list(_ elements: [Value]) -> (places: String, elements: [Value]) {
        precondition((1...elementsMax).contains(elements.count), "a bounded list in SQL")
        return padded(elements[...], of: "?", separator: ", ")
    }

    private static func padded<Element>(
        _ elements: ArraySlice<Element>, of place: String, separator: String
    ) -> (places: String, elements: [Element]) {
        var count = 1
        while count < elements.count { count *= 2 }
        let padding = elements.suffix(1).flatMap { last in
            repeatElement(last, count: count - elements.count)
        }
        return (
            String(repeating: place + separator, count: count - 1) + place, elements + padding
        )
    }
}

extension ID {
    /// As a column of numbers has it.
    var value: Value { .integer(number) }
}
