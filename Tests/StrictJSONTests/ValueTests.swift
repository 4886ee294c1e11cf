import StrictJSON
import Testing

/// What a program gets of a JSON text.
@Suite struct Values {
    private func read(_ text: String) throws -> JSONValue {
        try JSONValue(reading: Array(text.utf8))
    }

    @Test func `members and elements are found whatever stands before them`() throws {
        let value = try read(
            #"{"x": [[{"a": 1}], {}], "a\u0062": {"c": "d"}, "list": [0, [1, [2]], {"n": 3}, "é\n"]}"#
        )
        #expect(try value.member("ab").member("c").string() == "d")
        let list = try value.member("list").elements()
        #expect(list.count == 4)
        #expect(try list[2].member("n").wholeNumber() == .fits(3))
        #expect(try list[1].elements()[1].elements()[0].wholeNumber() == .fits(2))
        #expect(try list[3].string() == "é\n")
        #expect(try value.member("ab").objectText() == Array(#"{"c": "d"}"#.utf8))
        #expect(try read("[]").elements().isEmpty)
    }

    @Test func `a value that is not there, or of another kind, is named by its path`() throws {
        let value = try read(
            #"[{"id": 1, "products": [{"id": 1}, {"id": "홍길동", "\u0071": 1.5}], "no": null, "big": 1e19}]"#
        )
        #expect(!value.isObject)
        let order = try value.elements()[0].asBase
        let lines = try order.member("products").elements()
        func expect(_ sentence: String, _ body: () throws -> some Any) {
            let error = #expect(throws: JSONMismatch.self, "\(sentence)") { _ = try body() }
            #expect(error?.description == sentence)
        }
        expect("paymentAmount is missing") { try order.member("paymentAmount") }
        expect("products[1].quantity is missing") { try lines[1].member("quantity") }
        expect("products is not an object") { try order.member("products").member("id") }
        expect("products[1].id is not a number") { try lines[1].member("id").wholeNumber() }
        expect("products[1].q is not a whole number") { try lines[1].member("q").wholeNumber() }
        expect("big is too large") { try order.member("big").integer() }
        expect("id is not an array") { try order.member("id").elements() }
        expect("no is not a string") { try order.member("no").string() }
        expect("[0].id is not a string") { try value.elements()[0].member("id").string() }
        expect("it is not an object") { try value.objectText() }
    }

    @Test func `a number is whole when it has no fraction, in whatever way it is written`() throws {
        let zeros = String(repeating: "0", count: 400)
        for (text, number): (String, WholeNumber?) in [
            ("0", .fits(0)), ("-0", .fits(0)), ("0.0", .fits(0)), ("-0.000e5", .fits(0)),
            ("0e999999999999999999999999", .fits(0)), ("0e-1", .fits(0)), ("7", .fits(7)),
            ("-7", .fits(-7)), ("1e3", .fits(1_000)), ("1E+3", .fits(1_000)), ("10e-1", .fits(1)),
            ("1000.0", .fits(1_000)), ("1.0e3", .fits(1_000)), ("-1.25e2", .fits(-125)),
            ("0.001e3", .fits(1)), ("0.\(zeros)1e401", .fits(1)), ("1\(zeros)e-400", .fits(1)),
            ("1.5", nil), ("-0.1", nil), ("1e-1", nil), ("1e-400", nil), ("12.5e0", nil),
            ("125e-1", nil), ("0.\(zeros)1", nil), ("1.\(zeros)1", nil), ("0.\(zeros)1e400", nil),
            ("1\(zeros)e-401", nil), ("999.99999999999999999", nil), ("39.9999999999999999", nil),
            ("9007199254740992.5", nil), ("1e-999999999999999999999999", nil),
            ("9223372036854775806.99999999999", nil), ("123456789e-9223372036854775808", nil),
            ("9007199254740993", .fits(9_007_199_254_740_993)),
            ("9223372036854775807", .fits(.max)), ("922337203685477580.7e1", .fits(.max)),
            ("-9223372036854775808", .fits(.min)), ("-9223372036854775808.0", .fits(.min)),
            ("9223372036854775808", .tooLarge), ("-9223372036854775809", .tooSmall),
            ("9999999999999999999", .tooLarge), ("-9999999999999999999", .tooSmall),
            ("10000000000000000000", .tooLarge), ("18446744073709551617", .tooLarge),
            ("1\(zeros)", .tooLarge), ("-1\(zeros)", .tooSmall), ("1e400", .tooLarge),
            ("-1e400", .tooSmall), ("1.5e400", .tooLarge), ("1e999999999999999999999", .tooLarge),
            ("1e9223372036854775807", .tooLarge), ("0.\(zeros)1e999999", .tooLarge),
            ("1e19", .tooLarge), ("1e18", .fits(1_000_000_000_000_000_000)),
        ] {
            let value = try read("[\(text)]").elements()[0]
            if let number {
                #expect(try value.wholeNumber() == number, "\(text.prefix(40))")
            } else {
                let error = #expect(throws: JSONMismatch.self, "\(text.prefix(40))") {
                    try value.wholeNumber()
                }
                #expect(error?.reason == .notWhole)
            }
        }
        #expect(WholeNumber.tooLarge.nearest == .max && WholeNumber.tooLarge.exact == nil)
        #expect(WholeNumber.tooSmall.nearest == .min && WholeNumber.tooSmall.exact == nil)
        #expect(WholeNumber.fits(5).nearest == 5 && WholeNumber.fits(5).exact == 5)
    }

    @Test func `every whole number that fits is read as it was written`() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<10_000 {
            let number = Int64.random(in: .min ... .max, using: &random) >> Int64.random(in: 0..<63)
            let point = Int.random(in: 0..<25, using: &random)
            let digits = String(number.magnitude)
            let padded = String(repeating: "0", count: max(0, point - digits.count + 1)) + digits
            let sign = number < 0 ? "-" : ""
            let whole = padded.dropLast(point).drop { $0 == "0" }
            let text =
                sign + (whole.isEmpty ? "0" : whole) + (point > 0 ? "." : "")
                + padded.suffix(point) + "e\(point)"
            #expect(try read(text).wholeNumber() == .fits(number), "\(text)")
            #expect(try read("\(number)").wholeNumber() == .fits(number))
        }
    }
}
