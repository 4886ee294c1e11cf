import FastCGI
import HTTPTypes

extension Request {
    /// A body is JSON and says so. A browser sends a form, or a text, to any address for any website;
    /// before it sends JSON it asks the address, which here allows nothing (CORS).
    ///
    /// - Throws: a problem when there is a body of another type, or an encoded one.
    func expectJSON() throws(Problem) {
        if body.isEmpty { return }
        guard firstField(.contentType).map(isJSON) == true else { throw .notDeclaredAsJSON }
        guard firstField(.contentEncoding).map(isIdentity) != false else { throw .encoded }
    }
}

extension Problem {
    private static func unsupported(
        _ detail: String, _ accepted: HTTPField.Name, _ value: String
    ) -> Problem {
        Problem(
            .unsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type", detail,
            headerFields: [accepted: value])
    }

    fileprivate static let notDeclaredAsJSON = unsupported(
        "A body is JSON in UTF-8, declared as Content-Type: application/json.", .accept,
        "application/json")

    fileprivate static let encoded = unsupported(
        "A body comes without a Content-Encoding.", .acceptEncoding, "identity")
}

/// Whether a list of content codings (RFC 9110, 8.4) changes nothing.
private func isIdentity(_ codings: String) -> Bool {
    codings.split(separator: ",").allSatisfy { coding in
        ["", "identity"].contains(coding.filter { $0 != " " && $0 != "\t" }.lowercased())
    }
}

/// Whether a media type (RFC 9110, 8.3.1) is `application/json` or an `application/…+json` (RFC
/// 6839, 3.1), in UTF-8: JSON has no other charset (RFC 8259, 8.1).
private func isJSON(_ type: String) -> Bool {
    if type == "application/json" { return true }  // Nearly all say so.
    var rest = Substring(type)
    guard let family = rest.takeToken(), family == "application", rest.take("/"),
        let kind = rest.takeToken(), kind == "json" || kind.dropFirst().hasSuffix("+json")
    else { return false }
    while true {
        rest.skipBlanks()
        if rest.isEmpty { return true }
        guard rest.take(";") else { return false }
        rest.skipBlanks()
        if rest.isEmpty || rest.first == ";" { continue }
        guard let name = rest.takeToken(), rest.take("="),
            let value = rest.takeToken() ?? rest.takeQuoted()
        else { return false }
        if name == "charset" && value != "utf-8" { return false }
    }
}

extension Substring {
    fileprivate mutating func take(_ character: Character) -> Bool {
        guard first == character else { return false }
        removeFirst()
        return true
    }

    fileprivate mutating func skipBlanks() {
        self = drop { $0 == " " || $0 == "\t" }
    }

    /// In lower case; nil where there is none (RFC 9110, 5.6.2).
    fileprivate mutating func takeToken() -> String? {
        let token = prefix { character in
            character.isASCII
                && (character.isLetter || character.isNumber
                    || "!#$%&'*+-.^_`|~".contains(character))
        }
        self = dropFirst(token.count)
        return token.isEmpty ? nil : token.lowercased()
    }

    /// In lower case and without its quotes (RFC 9110, 5.6.4); nil where there is none.
    fileprivate mutating func takeQuoted() -> String? {
        guard take("\"") else { return nil }
        var text = ""
        while let character = popFirst() {
            if character == "\"" { return text.lowercased() }
            if character == "\\" {
                guard let meant = popFirst() else { return nil }
                text.append(meant)
            } else {
                text.append(character)
            }
        }
        return nil
    }
}
