public import Commerce
import MariaDB

extension Catalogue {
    /// Where a list of products goes on: after the product that was shown last.
    public struct Place: Sendable {
        let name: String
        let id: ProductID

        /// - Parameter name: of the product; only lists by name need it.
        public init(after id: ProductID, named name: String) {
            self.id = id
            self.name = name
        }
    }

    /// Products that are on sale, by number. Always from the database.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func products(after place: Place?, countMax: Int) throws -> [Product] {
        try pool.withConnection { connection in
            try connection.query(
                """
                SELECT \(Self.columns)
                FROM product p FORCE INDEX (PRIMARY) STRAIGHT_JOIN stock s ON s.product_id = p.id
                WHERE p.id > ? AND NOT p.is_delete AND NOT s.is_delete
                ORDER BY p.id LIMIT ?
                """, [.integer(place?.id.number ?? .min), .integer(Int64(countMax))], Self.product)
        }
    }

    /// Products that are on sale and whose names begin with a prefix, by name and number: ranges of
    /// the index `product_by_name`, in its order, of which every row is one that is asked for. So a page
    /// costs what it shows, whatever the prefix.
    ///
    /// - Throws: `DatabaseError` when the database cannot answer.
    public func products(
        named prefix: NamePrefix, after place: Place?, countMax: Int
    ) throws -> [Product] {
        let ranges = prefix.ranges
        let isInside = ranges.map { _ in "p.name BETWEEN ? AND ?" }.joined(separator: " OR ")
        var values = ranges.flatMap { [Value.text($0.first), .text($0.last)] }
        var isAfter = ""
        if let place {
            isAfter = "AND (p.name > ? OR (p.name = ? AND p.id > ?))"
            values += [.text(place.name), .text(place.name), .integer(place.id.number)]
        }
        values.append(.integer(Int64(countMax)))
        return try pool.withConnection { connection in
            try connection.query(
                """
                SELECT \(Self.columns) FROM product p FORCE INDEX (product_by_name)
                STRAIGHT_JOIN stock s ON s.product_id = p.id
                WHERE (\(isInside)) \(isAfter) AND NOT p.is_delete AND NOT s.is_delete
                ORDER BY p.name, p.id LIMIT ?
                """, values, Self.product)
        }
    }
}
