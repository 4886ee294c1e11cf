import Commerce
import FoundationEssentials
import Testing

@testable import Events

/// A message of a queue is taken for an event only where it can mean nothing else.
@Suite struct QueuedEvents {
    private static let id = "0199e1b4-0000-7000-8000-000000000001"

    private func read(_ text: String) -> QueuedEvent? { QueuedEvent(envelope: Array(text.utf8)) }

    @Test func `an envelope is read by its members, in whatever order and form`() throws {
        for text in [
            #"{"id":"\#(Self.id)","type":"order.paid","version":1,"data":{"a": [1]}}"#,
            #" { "data" : {"a": [1]} , "type" : "order\u002epaid" , "id" : "\#(Self.id)" } "#,
            #"{"x":",\"data\":1","id":"\#(Self.id)","type":"order.paid","data":{"a": [1]}}"#,
        ] {
            let event = try #require(read(text), "\(text)")
            #expect(event.id.uuidString.lowercased() == Self.id)
            #expect(event.type.rawValue == "order.paid")
            #expect(event.payload == Array(#"{"a": [1]}"#.utf8))
        }
    }

    @Test func `a text that is no envelope, or two in one, is no event`() {
        for text in [
            "", "[]", "{}", "x", #"{"id":"\#(Self.id)","type":"order.paid"}"#,
            #"{"id":"\#(Self.id)","type":"order.paid","data":[]}"#,
            #"{"id":"\#(Self.id)","type":"order.paid","data":"{}"}"#,
            #"{"id":"\#(Self.id)","type":1,"data":{}}"#, #"{"id":"x","type":"t","data":{}}"#,
            #"{"id":"\#(Self.id)","type":"order.paid","data":{}}x"#,
            #"{"id":"\#(Self.id)","type":"order.paid","data":{},}"#,
            #"{"id":"\#(Self.id)","type":"order.paid","data":{"a":1,"a":2}}"#,
            #"{"id":"\#(Self.id)","type":"order.paid","type":"order.cancelled","data":{}}"#,
            #"{"id":"\#(Self.id)","type":"order.paid","data":{},"dat\u0061":{}}"#,
        ] { #expect(read(text) == nil, "\(text)") }
    }
}
