import Commerce
import FastCGI
import HTTPTypes

extension HTTPField.Name {
    fileprivate static let traceparent = Self("traceparent")!
}

extension Request {
    /// The client's trace, if it sent one in the form of W3C Trace Context. Otherwise the number
    /// that nginx gave the request, which has the same form.
    var traceID: TraceID? {
        firstField(.traceparent).flatMap(TraceID.init(traceparent:))
            ?? firstField(.requestID).flatMap { TraceID($0) }
    }
}

extension TraceID {
    /// Reads `00-<trace id>-<parent id>-<flags>`. Nil for anything else, as the W3C has it: a trace
    /// that cannot be read is not continued.
    init?(traceparent: String) {
        let parts = traceparent.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "00", parts[2].isHexadecimal(digits: 16),
            parts[2].contains(where: { $0 != "0" }), parts[3].isHexadecimal(digits: 2)
        else { return nil }
        self.init(parts[1])
    }
}

extension Substring {
    /// Whether these are so many digits, and letters in lower case only.
    fileprivate func isHexadecimal(digits count: Int) -> Bool {
        utf8.count == count
            && utf8.allSatisfy { digit in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(digit)
            }
    }
}
