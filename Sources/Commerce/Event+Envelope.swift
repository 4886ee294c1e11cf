import FoundationEssentials

extension Event {
    /// The JSON document that every receiver gets, whatever way it goes.
    ///
    /// None of the texts in it has a character that JSON would want escaped.
    public var envelope: [UInt8] {
        let trace = traceID.map { "\"\($0)\"" } ?? "null"
        let head = """
            {"id":"\(id.lowercased)","type":"\(type.rawValue)","version":\(version),\
            "timestamp":"\(createdAt.rfc3339)","traceId":\(trace),"data":
            """
        return Array(head.utf8) + payload + [UInt8(ascii: "}")]
    }
}

extension UUID {
    /// As RFC 9562 wants it written: `0199e1b4-0000-7000-8000-000000000001`.
    public var lowercased: String { uuidString.lowercased() }
}
