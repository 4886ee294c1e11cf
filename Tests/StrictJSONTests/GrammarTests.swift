import Testing

@testable import StrictJSON

/// What RFC 8259 and RFC 7493 call a JSON text, and what not. Each row is made from a rule of theirs.
@Suite struct Grammar {
    private func isText(_ bytes: [UInt8]) -> Bool {
        (try? JSONValue(reading: bytes)) != nil
    }

    private func reason(_ text: String) -> JSONError.Reason? {
        do throws(JSONError) {
            _ = try JSONValue(reading: Array(text.utf8))
            return nil
        } catch {
            return error.reason
        }
    }

    /// Puts a value wherever one can stand.
    private func expect(_ value: String, isValue: Bool) {
        for text in [
            value, " \t\r\n\(value)\r\n\t ", "[\(value)]", "[0,\(value) ,0]", "{\"a\":\(value)}",
            "{\"a\" : 0 , \"b\" : \(value) }", "[[{\"\":[\(value)]}]]",
        ] { #expect(isText(Array(text.utf8)) == isValue, "\(text)") }
    }

    @Test func `each kind of value is one, wherever it stands`() {
        for value in [
            "null", "true", "false", "{}", "[]", "[ ]", "{ }", "\"\"", "0", "-0", "1", "-1", "10",
            "0.0", "0.00", "1.5", "-1.5", "1e1", "1E1", "1e+1", "1e-1", "1e01", "1.0e0", "-0.0e-0",
            "123456789012345678901234567890", "[1,2]", #"{"a":1,"b":2}"#, #"{"":0}"#, "[[],[[]]]",
            #""\"\\\/\b\f\n\r\t""#, #""\u0000""#, #""\u00e9\u00E9""#, #""\uD834\uDD1E""#,
            "\"\u{7F}\"", "\"é한😀\"", "\"\u{2028}\u{2029}\"", #""\u2028""#, "\"\u{E000}\"",
            "\"\u{10FFFD}\"", "\"\u{FFFD}\"", #""\ufdcf\ufdf0\ufffd""#, "\"/\"",
        ] { expect(value, isValue: true) }
    }

    @Test func `a text that the grammar does not know is no value`() {
        for value in [
            ",", ":", "nul", "nulll", "Null", "TRUE", "tru", "undefined", "NaN", "Infinity",
            "-Infinity", "-", "+1", "01", "-01", "00", "1.", ".1", "-.1", "1.e1", "1e", "1e+",
            "1e1.0",
            "0x1", "0b1", "1_0", "1 0", "1,0 0", "--1", "1-", "0e", "１", "'a'", "a", "\"a", "a\"",
            "\"\t\"", "\"\n\"", "\"\u{0}\"", "\"\u{1F}\"", #""\a""#, #""\x41""#, #""\0""#, #""\'""#,
            #""\U0041""#, #""\u""#, #""\u1""#, #""\u123""#, #""\u123g""#, #""\u+123""#,
            #""\u 123""#,
            #""\""#, "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1,,2]", "[1:2]", "[}", "{", "}", "{]",
            #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{,"a":1}"#, #"{"a":1 "b":2}"#, #"{"a",1}"#,
            #"{"a"::1}"#, "{a:1}", "{1:1}", "{'a':1}", "{null:1}", "{[]:1}", "/**/1", "1//", "#1",
            "\u{B}1", "\u{C}1", "\u{A0}1", "\u{2028}1", "\u{FEFF}1", "(1)", "<1>", "`1`", "1;",
        ] { expect(value, isValue: false) }
        // More than one value, which a list would allow.
        for text in [
            "", " ", "1 2", "1,2", "{}{}", "[] []", "{},", "null\u{0}", "[]\u{0}\u{0}", "\u{0}",
        ] {
            #expect(!isText(Array(text.utf8)), "\(text)")
        }
    }

    @Test func `strings are UTF-8, without halves of pairs and noncharacters`() {
        for bytes: [UInt8] in [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x7F], [0xC2, 0xC0],
            [0xE0, 0x9F, 0xBF], [0xE0, 0xA0], [0xE1, 0x80, 0xC0], [0xED, 0xA0, 0x80],
            [0xED, 0xBF, 0xBF], [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF0, 0x90, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80],
            [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80], [0xFE], [0xFF],
            [0xEF, 0xB7, 0x90], [0xEF, 0xB7, 0xAF], [0xEF, 0xBF, 0xBE], [0xEF, 0xBF, 0xBF],
            [0xF0, 0x9F, 0xBF, 0xBE], [0xF4, 0x8F, 0xBF, 0xBF],
        ] {
            let quote = UInt8(ascii: "\"")
            #expect(!isText([quote] + bytes + [quote]), "\(bytes)")
            #expect(!isText(Array("{\"".utf8) + bytes + Array("\":0}".utf8)), "\(bytes)")
            #expect(!isText(bytes + Array("0".utf8)), "\(bytes)")
        }
        for escape in [
            #"\ud800"#, #"\udbff"#, #"\udc00"#, #"\udfff"#, #"\ud800x"#, #"\ud800\n"#, #"\ud800\\"#,
            #"\ud800\u0041"#, #"\ud800\ud800"#, #"\udc00\ud800"#, #"\ufffe"#, #"\uffff"#,
            #"\ufdd0"#,
            #"\ufdef"#, #"\ud83f\udffe"#, #"\udbff\udfff"#,
        ] {
            #expect(reason("\"\(escape)\"") == .notUnicode, "\(escape)")
        }
        #expect(!isText(Array("1".utf16).flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }))
        #expect(!isText([0xFF, 0xFE, 0x31, 0x00]))
    }

    /// Each scalar value is a character or none, by Unicode's own word.
    @Test func `every character may stand in a string, as itself and escaped`() {
        for value in UInt32(0x20)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value), scalar != "\"", scalar != "\\" else {
                continue
            }
            let isCharacter = !scalar.properties.isNoncharacterCodePoint
            if isText(Array("\"\(scalar)\"".utf8)) != isCharacter {
                Issue.record("U+\(String(value, radix: 16)) as itself")
            }
            let units = String(scalar).utf16.map { unit in
                "\\u" + String(repeating: "0", count: 4 - String(unit, radix: 16).count)
                    + String(unit, radix: 16)
            }
            let value = try? JSONValue(reading: Array("\"\(units.joined())\"".utf8)).string()
            if value != (isCharacter ? String(scalar) : nil) {
                Issue.record("\(units.joined()) is \(value ?? "nothing")")
            }
        }
    }

    @Test func `an object has no name twice, however often and deep it is written`() {
        for text in [
            #"{"a":1,"a":1}"#, #"{"a":1,"b":2,"a":3}"#, #"{"":1,"":2}"#, #"{"a":1,"\u0061":2}"#,
            #"{"\u0061":1,"a":2}"#, #"{"\u0061":1,"\u0061":2}"#, #"{"é":1,"\u00e9":2}"#,
            #"{"😀":1,"\ud83d\ude00":2}"#, #"{"a/b":1,"a\/b":2}"#, #"[{"x":[{"a":{},"a":[]}]}]"#,
            #"{"a":{"a":1},"b":{"b":1},"a":0}"#, #"{"\n":1,"\u000a":2}"#,
        ] {
            guard case .repeatedMember = reason(text) else {
                Issue.record("\(text): \(String(describing: reason(text)))")
                continue
            }
        }
        for text in [
            #"{"a":1,"A":2}"#, #"{"a":{"a":{"a":1}}}"#, #"[{"a":1},{"a":1}]"#, #"{"a":1,"a ":2}"#,
            #"{"a":1,"":2," ":3}"#, "{\"\u{E9}\":1,\"e\u{301}\":2}", #"{"1":1,"01":2,"1.0":3}"#,
            #"{"a\u0000":1,"a":2,"a\u0000\u0000":3}"#,
        ] { #expect(reason(text) == nil, "\(text)") }
    }

    @Test func `a name that comes twice is found among any number of others`() {
        for count in [1, 2, 15, 16, 17, 100, 5_000] {
            let names = (0..<count).map { "\"n\($0)\":0" }
            #expect(reason("{\(names.joined(separator: ","))}") == nil)
            for twice in Set([0, count / 2, count - 1]) {
                let again = names + ["\"\\u006e\(twice)\":0"]
                #expect(
                    reason("{\(again.joined(separator: ","))}") == .repeatedMember(nil),
                    "\(twice) of \(count)")
            }
        }
    }

    @Test func `arrays and objects go thirty-two levels deep and no deeper`() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            func nested(_ depth: Int) -> String {
                String(repeating: open, count: depth) + (open == "[" ? "" : "0")
                    + String(repeating: close, count: depth)
            }
            #expect(reason(nested(32)) == nil)
            #expect(reason(nested(33)) == .tooDeep)
            #expect(reason(nested(100_000)) == .tooDeep)
            #expect(reason(String(repeating: open, count: 100_000)) == .tooDeep)
        }
        #expect(reason("[" + String(repeating: "[],", count: 1_000) + "0]") == nil)
    }

    @Test func `a text has a greatest length`() {
        let most = [UInt8](repeating: 0x20, count: (1 << 24) - 1) + [0x30]
        #expect(isText(most))
        #expect(throws: JSONError(reason: .tooLong, offset: 1 << 24)) {
            try JSONValue(reading: [0x20] + most)
        }
    }

    @Test func `an error says where it is and shows nothing that might be of a person`() {
        for (text, sentence) in [
            ("[1, x]", "byte 4 is not JSON"), ("[1, 2", "it ends too early"),
            ("", "it ends too early"), ("[\"\\ud800\"]", "byte 3 is not Unicode text"),
            (#"{"user_id": 1, "user_id": 2}"#, #"the member "user_id" is there twice"#),
            (
                #"{"01012344112": 1, "01012344112": 2}"#,
                "a member is there twice, again before byte 36"
            ),
            (#"{"홍길동": 1, "홍길동": 2}"#, "a member is there twice, again before byte 32"),
            (
                String(repeating: "[", count: 40),
                "byte 32 is nested deeper than 32 levels"
            ),
        ] {
            let error = #expect(throws: JSONError.self) {
                try JSONValue(reading: Array(text.utf8))
            }
            #expect(error?.description == sentence)
        }
    }
}
