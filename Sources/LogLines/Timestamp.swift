import Glibc

/// Points in time as logs spell them.
enum Timestamp {
    /// RFC 3339 in UTC, to the millisecond: `2026-01-31T23:59:59.123Z`.
    static var now: String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var parts = tm()
        gmtime_r(&time.tv_sec, &parts)
        let day = "\(parts.tm_year + 1_900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
        let second = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        let milliseconds = String(1_000 + time.tv_nsec / 1_000_000).dropFirst()
        return "\(day)T\(second).\(milliseconds)Z"
    }

    private static func two(_ number: Int32) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }
}
