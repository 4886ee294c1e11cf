import API
import MariaDB
import Store
import Testing

/// Names of any characters are listed and found, each once.
@Suite struct NameSearches {
    private struct Item: Decodable {
        let id: Int
    }

    private static let (composed, decomposed) = (
        "\u{D14C}\u{C2A4}\u{D2B8}",
        "\u{1110}\u{1166}\u{1109}\u{1173}\u{1110}\u{1173}"
    )

    /// What names begin with: all that has ever been taken for something else.
    private static let beginnings = [
        "\u{301}", "\u{20DD}", "\u{200D}", "\u{200B}", "\u{AD}", "\u{FE0F}", "\u{FE0F}\u{FE0F}",
        "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}", "\u{1F1F0}\u{1F1F7}", "%", "_", "\\", "'",
        "\"", "`", "!", " ", "  ", "\t", "\u{1}", "\u{7F}", "\u{3000}", "\u{A0}", "\u{202E}",
        "\u{FEFF}", "\u{FFFD}", "\u{FFFF}", "\u{10FFFF}", "\u{E000}", "é", "e\u{301}", "ß", "Ǆ",
        "ﬁ",
        "İ", "ı", "\u{FC5E}", "漢", "\u{20000}", "ㅌ", "\u{3164}", "\u{115F}", "<", "&", "+", "/",
        "?",
        "#", "=", "~", "0", "-1", "NULL", composed, decomposed, "a", "A", "á", "",
    ]

    private let shop: Shop
    private let names: [(id: Int, name: String)]

    init() throws {
        shop = try Shop()
        var names: [String] = []
        for beginning in Self.beginnings {
            for rest in ["", "b", " b", String(repeating: "한", count: 190)] {
                names.append(beginning + rest)
            }
        }
        self.names = names.enumerated().map { (1_000 + $0.offset, $0.element) }
        let owner = try shop.database.connect()
        _ = try owner.executeBulk(
            "INSERT INTO product (id, name, price) VALUES (?, ?, 1)",
            self.names.map { [.integer(Int64($0.id)), .text($0.name)] })
        try owner.execute(
            "INSERT INTO stock (product_id, quantity) SELECT id, 1 FROM product WHERE id >= 1000")
    }

    /// All products of a list, part by part.
    private func walk(_ path: String) throws -> [Int] {
        var (ids, next): ([Int], String?) = ([], path)
        while let part = next {
            let answer = try shop.get(part)
            #expect(answer.status == 200, "\(part): \(answer.text)")
            ids += try answer.decoded([Item].self).map(\.id)
            next = answer["Link"]?.split(separator: ">").first.map { String($0.dropFirst()) }
            guard ids.count < 10_000 else { throw Failure("\(path) has no end") }
        }
        return ids
    }

    private func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            let digits = String(byte, radix: 16)
            return "%" + (byte < 0x10 ? "0" : "") + digits
        }.joined()
    }

    @Test func `whatever a name begins with, its list goes on after it`() throws {
        let ids = try walk("/api/v1/products?limit=1")
        #expect(Set(ids).count == ids.count && ids.count == names.count + 14)
    }

    @Test func `each product is found once by what its name begins with, and each part leads on`()
        throws
    {
        var searched: Set<String> = []
        for (id, name) in names where searched.insert(String(name.prefix(2))).inserted {
            let prefix = String(String.UnicodeScalarView(name.unicodeScalars.prefix(3)))
            guard NamePrefix(prefix) != nil else { continue }
            let path = "/api/v1/products?q=\(encoded(prefix))&limit="
            let ids = try walk(path + "100")
            #expect(ids.contains(id), "\(prefix.unicodeScalars.map(\.value))")
            #expect(Set(ids).count == ids.count, "\(prefix.unicodeScalars.map(\.value))")
            #expect(try walk(path + "7") == ids, "\(prefix.unicodeScalars.map(\.value))")
        }
    }

    @Test func `composed and decomposed Hangul find the same products`() throws {
        let found = try [Self.composed, Self.decomposed].map { text in
            try walk("/api/v1/products?limit=3&q=\(encoded(text))")
        }
        let expected = names.filter {
            $0.name.hasPrefix(Self.composed)  // Swift compares canonically.
        }.map(\.id)
        #expect(found[0] == found[1] && found[0].sorted() == expected && expected.count == 8)
    }

    @Test(arguments: [
        "%00", "%E2%80%8B", "%C2%AD", "%E2%80%8D", "%EF%B8%8F", "%CC%81", "%01%02", "%7F",
        "%E2%80%8B%CC%81%00", "%EF%BB%BF", "%E2%80%AE", "%E3%85%A4", "%E1%85%9F", "%F3%A0%81%81",
    ])
    func `characters that names are not sorted by are nothing to search for`(query: String) throws {
        try expectProblem(
            try shop.get("/api/v1/products?q=\(query)"), 400, "MALFORMED_REQUEST",
            "q needs a character that a name can be found by.")
    }

    @Test func `a search reads as many names as it shows, whatever it is for`() throws {
        let owner = try shop.database.connect()
        try owner.execute(
            """
            INSERT INTO product (id, name, price)
            SELECT 10000 + seq, CONCAT('nail ', seq), 1 FROM seq_1_to_5000
            """)
        try owner.execute(
            "INSERT INTO stock (product_id, quantity) SELECT id, 1 FROM product WHERE id >= 10000")
        let pool = Pool(server: shop.database.owner, size: 1, waitLimitMilliseconds: 1_000)
        let catalogue = Store.Shop(
            pool: pool, ledgerPool: pool, cache: Cache(nil, prefix: ""), renderer: .customer
        ).catalogue
        for text in ["n\u{200B}", "\u{200B}n", "na\u{301}il", "n", "\u{FC5E}", "nail 4999\u{200D}"]
        {
            let prefix = try #require(NamePrefix(text))
            let before = try reads(by: pool)
            _ = try catalogue.products(named: prefix, after: nil, countMax: 21)
            #expect(try reads(by: pool) - before < 100, "\(text.unicodeScalars.map(\.value))")
        }
    }

    /// Rows that the pool's only session has read along an index.
    private func reads(by pool: Pool) throws -> Int64 {
        try pool.withConnection { connection in
            try connection.number(
                """
                SELECT CAST(SUM(variable_value) AS INT) FROM information_schema.session_status
                WHERE variable_name IN ('Handler_read_next', 'Handler_read_rnd_next')
                """)
        }
    }
}
