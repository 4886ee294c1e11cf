import FastCGI
import FoundationEssentials
import HTTPTypes

/// Which part of a list a request asks for.
struct PageRequest {
    static let limits = 1...100
    static let limitDefault = 20

    let limit: Int
    /// What the part before ended with; nil for the first.
    let after: Cursor?

    /// One more than is shown says whether there is more.
    var countMax: Int { limit + 1 }

    /// - Parameter list: whose cursors are understood.
    init(_ request: Request, of list: String) throws(Problem) {
        limit = try Self.limit(try request.parameter("limit"))
        guard let text = try request.parameter("cursor") else {
            after = nil
            return
        }
        guard let cursor = Cursor(text), cursor.list == list else {
            throw .malformed("The cursor is none of this list.")
        }
        after = cursor
    }

    private static func limit(_ text: String?) throws(Problem) -> Int {
        guard let text else { return limitDefault }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let limit = Int(text),
            limits.contains(limit)
        else { throw .malformed("The limit is a whole number from 1 to 100.") }
        return limit
    }
}

/// The item that a part of a list ended with: what follows it is found by it and not by counting,
/// so that nothing is shown twice or left out when the list grows meanwhile.
///
/// Clients hand it back as they got it; what is in it is not theirs to know.
struct Cursor {
    /// The list's name, without blanks.
    let list: String
    let id: Int64
    /// Where the list is sorted by name.
    var name = ""

    var text: String {
        Data("\(list) \(id) \(name)".utf8).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    init(list: String, id: Int64, name: String = "") {
        self.list = list
        self.id = id
        self.name = name
    }

    /// - Returns: nil for what is no cursor of ours, to the letter.
    init?(_ text: String) {
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        let base64 = text.replacing("-", with: "+").replacing("_", with: "/") + padding
        guard let data = Data(base64Encoded: base64),
            let plain = String(validating: data, as: UTF8.self)
        else { return nil }
        // By bytes: a blank and a combining mark that a name begins with are one character of Swift's.
        let words = plain.utf8.split(
            separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false
        ).map { String(decoding: $0, as: UTF8.self) }
        guard words.count == 3, let id = Int64(words[1]) else { return nil }
        self.init(list: words[0], id: id, name: words[2])
        guard self.text == text else { return nil }
    }
}

extension Response {
    /// A part of a list: an array of its items, as the customer's lists are, with the address of
    /// the next part beside it (RFC 8288).
    ///
    /// - Parameters:
    ///   - items: one more than the limit, where there are that many.
    ///   - isCut: whether there are more than these, however few they are.
    ///   - parameters: of the query, which the next part has too.
    static func page<Item>(
        _ items: [Item], isCut: Bool = false, of page: PageRequest, at path: String,
        parameters: [(name: String, value: String)] = [],
        _ render: (Item) -> JSON, cursor: (Item) -> Cursor
    ) -> Response {
        let shown = items.prefix(page.limit)
        var response = Response.json(
            JSON.array(shown.map(render)).bytes, cacheControl: "no-store")
        if isCut || items.count > page.limit, let last = shown.last {
            let next =
                parameters + [("limit", "\(page.limit)"), ("cursor", cursor(last).text)]
            let query = next.map { "\($0.name)=\($0.value.percentEncoded)" }
            response.headerFields.append(
                HTTPField(
                    name: .link,
                    value: "<\(path)?\(query.joined(separator: "&"))>; rel=\"next\""))
        }
        return response
    }
}

extension HTTPField.Name {
    fileprivate static let link = Self("Link")!
}
