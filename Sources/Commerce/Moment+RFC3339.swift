extension Moment {
    /// Why a text is not a moment, for whoever typed it.
    public enum Problem: Error, Sendable, Equatable, CustomStringConvertible {
        /// It is not written as RFC 3339, section 5.6, has it.
        case form
        /// There is no such date, time of day or offset, such as February 30 or 24:00.
        case absent
        /// The database keeps the years 1000 to 9999.
        case outOfRange

        public var description: String {
            switch self {
            case .form: "a time is written as 2026-01-31T09:00:00+09:00 or 2026-01-31T00:00:00Z"
            case .absent: "there is no such date or time of day"
            case .outOfRange: "the year has to be 1000 to 9999, in UTC"
            }
        }
    }

    /// Reads RFC 3339: a date, `T`, a time with or without a fraction, and `Z` or an offset; `t` and
    /// `z` in lower case too.
    ///
    /// A fraction beyond microseconds is rounded up, since no moment of the database lies in between:
    /// what happened from, or before, the one happened from, or before, the other. A leap second is
    /// refused, because the database has none.
    ///
    /// - Throws: ``Problem``.
    public init(rfc3339 text: some StringProtocol) throws(Problem) {
        var reader = Reader(rest: Array(text.utf8)[...])
        let year = try reader.number(4)
        try reader.skip("-")
        let month = try reader.number(2)
        try reader.skip("-")
        let day = try reader.number(2)
        try reader.skip("tT")
        let hour = try reader.number(2)
        try reader.skip(":")
        let minute = try reader.number(2)
        try reader.skip(":")
        let second = try reader.number(2)
        let microseconds = try reader.fraction()
        let offset = try reader.offsetMinutes()
        guard reader.rest.isEmpty else { throw .form }
        guard (1...12).contains(month), (1...Self.days(of: month, year)).contains(day),
            hour < 24, minute < 60, second < 60
        else { throw .absent }
        let seconds = (hour * 60 + minute - offset) * 60 + second
        try self.init(day: Self.dayNumber(year, month, day), seconds, microseconds)
    }

    private static func days(of month: Int, _ year: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    /// Days since the first of March of the year 0, where a leap day is the last of its year.
    private static func dayNumber(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let (year, month) = month > 2 ? (year, month - 3) : (year - 1, month + 9)
        return 365 * year + floorDivide(year, 4) - floorDivide(year, 100) + floorDivide(year, 400)
            + (153 * month + 2) / 5 + day - 1
    }

    private static func floorDivide(_ left: Int, _ right: Int) -> Int {
        left / right - (left % right < 0 ? 1 : 0)
    }

    /// - Parameters:
    ///   - seconds: of the day; those beyond it are of another day.
    ///   - microseconds: a million at most.
    private init(day: Int, _ seconds: Int, _ microseconds: Int) throws(Problem) {
        let seconds = seconds + microseconds / 1_000_000
        let day = day + Self.floorDivide(seconds, 86_400)
        let rest = seconds - Self.floorDivide(seconds, 86_400) * 86_400
        // The year that has the day: the guess is right, or one too large at its beginning.
        var year = Self.floorDivide(day * 400, 146_097)
        while Self.dayNumber(year, 3, 1) > day { year -= 1 }
        while Self.dayNumber(year + 1, 3, 1) <= day { year += 1 }
        let dayOfYear = day - Self.dayNumber(year, 3, 1)
        let month = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * month + 2) / 5 + 1
        let calendarYear = month < 10 ? year : year + 1
        guard (1_000...9_999).contains(calendarYear) else { throw .outOfRange }
        let date = "\(calendarYear)-\((month + 2) % 12 + 1, digits: 2)-\(dayOfMonth, digits: 2)"
        let time = [rest / 3_600, rest / 60 % 60, rest % 60].map { "\($0, digits: 2)" }
        self.init(
            "\(date) \(time.joined(separator: ":")).\(microseconds % 1_000_000, digits: 6)")
    }
}

/// The bytes of a time, from left to right.
private struct Reader {
    var rest: ArraySlice<UInt8>

    /// Of a fraction: what comes after them only rounds up.
    private static let fractionDigits = 6

    mutating func skip(_ characters: StaticString) throws(Moment.Problem) {
        let isOne = characters.withUTF8Buffer { rest.first.map($0.contains) ?? false }
        guard isOne else { throw .form }
        rest = rest.dropFirst()
    }

    mutating func number(_ count: Int) throws(Moment.Problem) -> Int {
        let digits = takeDigits(atMost: count)
        guard digits.count == count else { throw .form }
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    /// - Returns: microseconds, rounded up, so a million at most; 0 without a fraction.
    mutating func fraction() throws(Moment.Problem) -> Int {
        guard rest.first == UInt8(ascii: ".") else { return 0 }
        rest = rest.dropFirst()
        let digits = takeDigits(atMost: Self.fractionDigits)
        guard !digits.isEmpty else { throw .form }
        let beyond = takeDigits(atMost: .max)
        let number = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        let scale = (digits.count..<Self.fractionDigits).reduce(1) { scale, _ in scale * 10 }
        return number * scale + (beyond.contains { $0 != UInt8(ascii: "0") } ? 1 : 0)
    }

    /// - Returns: minutes that the local time is ahead of UTC.
    mutating func offsetMinutes() throws(Moment.Problem) -> Int {
        guard let sign = rest.popFirst() else { throw .form }
        if "zZ".utf8.contains(sign) { return 0 }
        guard "+-".utf8.contains(sign) else { throw .form }
        let hours = try number(2)
        try skip(":")
        let minutes = try number(2)
        guard hours < 24, minutes < 60 else { throw .absent }
        return (hours * 60 + minutes) * (sign == UInt8(ascii: "-") ? -1 : 1)
    }

    private mutating func takeDigits(atMost count: Int) -> ArraySlice<UInt8> {
        let digits = rest.prefix(count).prefix {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
        rest = rest.dropFirst(digits.count)
        return digits
    }
}

extension DefaultStringInterpolation {
    /// A number that is not negative, with zeros before it.
    fileprivate mutating func appendInterpolation(_ number: Int, digits: Int) {
        let text = String(number)
        appendLiteral(String(repeating: "0", count: max(0, digits - text.count)) + text)
    }
}
