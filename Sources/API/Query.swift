import FastCGI

extension Request {
    /// A parameter of the query, decoded; others that nobody asks for are ignored.
    ///
    /// - Returns: nil when there is none.
    /// - Throws: a problem when it is there twice, or is not UTF-8 text.
    func parameter(_ name: String) throws(Problem) -> String? {
        let query = target.utf8.drop { $0 != UInt8(ascii: "?") }.dropFirst()
        var found: [Substring.UTF8View] = []
        for pair in query.split(separator: UInt8(ascii: "&")) {
            let key = pair.prefix { $0 != UInt8(ascii: "=") }
            if decoded(key) == name { found.append(pair.dropFirst(key.count + 1)) }
        }
        guard let value = found.first else { return nil }
        guard found.count == 1, let text = decoded(value) else {
            throw .malformed("\(name) is given once, as UTF-8 text.")
        }
        return text
    }
}

/// Undoes the encoding of forms: `+` is a blank, `%XX` a byte.
private func decoded(_ text: Substring.UTF8View) -> String? {
    var bytes: [UInt8] = []
    var rest = text
    while let byte = rest.popFirst() {
        switch byte {
        case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
        case UInt8(ascii: "%"):
            guard let value = rest.encodedByte else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        default: bytes.append(byte)
        }
    }
    return String(validating: bytes, as: UTF8.self)
}

extension Substring.UTF8View {
    /// What the two hexadecimal digits after a `%` stand for; nil where there are none.
    var encodedByte: UInt8? {
        let digits = prefix(2)
        guard digits.count == 2,
            digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit })
        else { return nil }
        return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}

extension UInt8 {
    /// Whether it is a character that needs no encoding anywhere (RFC 3986, 2.3).
    var isUnreserved: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}

extension String {
    /// As a value in a query: everything but the unreserved characters of RFC 3986 as `%XX`.
    var percentEncoded: String {
        var text = ""
        for byte in utf8 {
            if byte.isUnreserved {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                text += byte < 0x10 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return text
    }
}
