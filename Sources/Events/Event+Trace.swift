import Commerce

extension Event {
    /// W3C Trace Context, for who receives the event: the request's trace, in which the event itself
    /// is the span, by the last half of its id. Nil for an event without a trace.
    var traceparent: String? {
        traceID.map { trace in
            let span = id.lowercased.filter { $0 != "-" }.suffix(16)
            return "00-\(trace)-\(span)-01"
        }
    }
}
