import Commerce
import FoundationEssentials
import Testing

/// A time that an operator types.
@Suite struct TypedMoments {
    @Test(arguments: [
        ("2026-11-29T09:30:00Z", "2026-11-29 09:30:00.000000"),
        ("2026-11-29t09:30:00z", "2026-11-29 09:30:00.000000"),
        ("2026-11-29T09:30:00+09:00", "2026-11-29 00:30:00.000000"),
        ("2026-01-01T08:59:59.5+09:00", "2025-12-31 23:59:59.500000"),
        ("2026-12-31T23:00:00-03:30", "2027-01-01 02:30:00.000000"),
        ("2026-11-29T09:30:00-00:00", "2026-11-29 09:30:00.000000"),
        ("2024-02-29T00:00:00Z", "2024-02-29 00:00:00.000000"),
        ("2000-02-29T12:00:00Z", "2000-02-29 12:00:00.000000"),
        ("2026-03-01T00:00:00+00:01", "2026-02-28 23:59:00.000000"),
        ("2026-11-29T09:30:00.123456Z", "2026-11-29 09:30:00.123456"),
        ("2026-11-29T09:30:00.1234560000Z", "2026-11-29 09:30:00.123456"),
        ("2026-11-29T09:30:00.1234561Z", "2026-11-29 09:30:00.123457"),
        ("2026-12-31T23:59:59.9999999Z", "2027-01-01 00:00:00.000000"),
        ("1000-01-01T00:00:00Z", "1000-01-01 00:00:00.000000"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31 23:59:59.999999"),
    ])
    func `it is the same moment in UTC`(typed: String, moment: String) throws {
        #expect(try Moment(rfc3339: typed).text == moment)
    }

    @Test(arguments: [
        "2026-11-29T25:00:00Z", "2026-11-29T24:00:00Z", "2026-11-29T23:60:00Z",
        "2026-06-30T23:59:60Z", "2026-02-29T00:00:00Z", "2026-02-30T00:00:00Z",
        "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-00-10T00:00:00Z", "2026-01-00T00:00:00Z", "2026-11-29T09:00:00+24:00",
        "2026-11-29T09:00:00+09:60",
    ])
    func `a date that no calendar has is refused`(typed: String) {
        #expect(throws: Moment.Problem.absent) { try Moment(rfc3339: typed) }
    }

    @Test(arguments: [
        "", "now", "2026-11-29", "2026-11-29T09:00Z", "2026-11-29T09:00:00", "2026-11-29 09:00:00Z",
        "2026-11-29T09:00:00.Z", "2026-11-29T09:00:00,5Z", "2026-11-29T09:00:00+0900",
        "2026-11-29T09:00:00+9:00", "26-11-29T09:00:00Z", "+2026-11-29T09:00:00Z",
        "2026-1-9T09:00:00Z", "2026-11-29T09:00:00Z ", " 2026-11-29T09:00:00Z",
        "２026-11-29T09:00:00Z", "2026-11-29T09:00:00ZZ", "2026-11-29T09:00:0-1Z",
    ])
    func `another form is refused`(typed: String) {
        #expect(throws: Moment.Problem.form) { try Moment(rfc3339: typed) }
    }

    @Test(arguments: [
        "0999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:59.9999999Z", "1000-01-01T00:00:00+00:01",
    ])
    func `a time that the database cannot keep is refused`(typed: String) {
        #expect(throws: Moment.Problem.outOfRange) { try Moment(rfc3339: typed) }
    }

    @Test func `days of four centuries are what Foundation says`() throws {
        let style = Date.ISO8601FormatStyle(dateTimeSeparator: .space)
        for day in stride(from: -10_957, to: 146_097, by: 17) {
            let date = Date(timeIntervalSince1970: Double(day) * 86_400 + 86_399)
            let text = String(date.formatted(style).dropLast())
            let typed = text.replacing(" ", with: "T") + "+00:00"
            #expect(try Moment(rfc3339: typed).text == text + ".000000")
        }
    }
}
