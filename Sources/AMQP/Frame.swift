import CRabbitMQ

/// A piece of what the broker sends, copied out of librabbitmq's memory.
enum Frame {
    /// The broker has taken this message over, or all up to it.
    case confirmed(tag: UInt64, multiple: Bool)
    /// The broker has not, by a fault of its own.
    case unconfirmed(tag: UInt64, multiple: Bool)
    /// No queue takes a message; its header and body follow, and then its confirm.
    case returned(reason: String)
    /// A message of a queue; its header and body follow.
    case delivered(tag: UInt64, isRedelivered: Bool, key: String)
    /// All of a message but its body, which follows in pieces.
    case header(Message, bodyBytes: UInt64)
    case body([UInt8])
    /// Nothing that concerns anybody.
    case other

    /// - Throws: for a frame that ends the channel, the connection or the consumer, and for one that
    ///   no broker may send.
    init(_ frame: amqp_frame_t) throws(AMQPError) {
        guard [0, Connection.channel].contains(frame.channel) else {
            throw AMQPError(unexpected: "a frame on channel \(frame.channel)")
        }
        switch Int32(frame.frame_type) {
        case AMQP_FRAME_METHOD:
            self = try Self.method(frame.payload.method)
        case AMQP_FRAME_HEADER:
            let header = frame.payload.properties
            // Its properties have another form where it is of another class.
            guard header.class_id == UInt16(AMQP_BASIC_CLASS) else {
                throw AMQPError(unexpected: "a header of class \(header.class_id)")
            }
            self = .header(Message(properties: header.decoded), bodyBytes: header.body_size)
        case AMQP_FRAME_BODY:
            let piece = frame.payload.body_fragment
            self = .body([UInt8](UnsafeRawBufferPointer(start: piece.bytes, count: piece.len)))
        default: self = .other
        }
    }

    private static func method(_ method: amqp_method_t) throws(AMQPError) -> Frame {
        guard let kind = Method(rawValue: method.id), let decoded = method.decoded else {
            return .other
        }
        switch kind {
        case .connectionClose, .channelClose:
            throw AMQPError(closing: method, during: "wait for the broker")
        case .basicCancel:
            throw AMQPError(.refused, "the broker ended the consumer: is its queue still there?")
        case .basicAck:
            let ack = decoded.load(as: amqp_basic_ack_t.self)
            return .confirmed(tag: ack.delivery_tag, multiple: ack.multiple != 0)
        case .basicNack:
            let nack = decoded.load(as: amqp_basic_nack_t.self)
            return .unconfirmed(tag: nack.delivery_tag, multiple: nack.multiple != 0)
        case .basicReturn:
            let returned = decoded.load(as: amqp_basic_return_t.self)
            return .returned(
                reason: "\(returned.reply_code) \(String(returned.reply_text))")
        case .basicDeliver:
            let delivery = decoded.load(as: amqp_basic_deliver_t.self)
            return .delivered(
                tag: delivery.delivery_tag, isRedelivered: delivery.redelivered != 0,
                key: String(delivery.routing_key))
        }
    }
}

// MARK: - Messages and librabbitmq's properties

extension Message {
    fileprivate init(properties decoded: UnsafeMutableRawPointer?) {
        self.init(id: "", contentType: "", timestamp: 0, body: [])
        guard let decoded else { return }
        let properties = decoded.load(as: amqp_basic_properties_t.self)
        func has(_ flag: Int32) -> Bool { properties._flags & UInt32(flag) != 0 }
        if has(AMQP_BASIC_MESSAGE_ID_FLAG) { id = String(properties.message_id) }
        if has(AMQP_BASIC_CONTENT_TYPE_FLAG) { contentType = String(properties.content_type) }
        if has(AMQP_BASIC_TIMESTAMP_FLAG) { timestamp = properties.timestamp }
        if has(AMQP_BASIC_HEADERS_FLAG) { headers = Self.texts(properties.headers) }
    }

    private static func texts(_ table: amqp_table_t) -> [String: String] {
        var texts: [String: String] = [:]
        for entry in UnsafeBufferPointer(start: table.entries, count: Int(table.num_entries))
        where entry.value.kind == UInt8(AMQP_FIELD_KIND_UTF8.rawValue) {
            texts[String(entry.key)] = String(entry.value.value.bytes)
        }
        return texts
    }

    func withProperties<T>(
        _ use: (UnsafePointer<amqp_basic_properties_t>, amqp_bytes_t) -> T
    ) -> T {
        var properties = amqp_basic_properties_t()
        properties._flags = UInt32(
            AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_TIMESTAMP_FLAG
                | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_HEADERS_FLAG)
        properties.delivery_mode = UInt8(AMQP_DELIVERY_PERSISTENT.rawValue)
        properties.timestamp = timestamp
        return id.withBytes { id in
            contentType.withBytes { contentType in
                Self.withTable(headers) { headers in
                    body.withUnsafeBytes { body in
                        properties.message_id = id
                        properties.content_type = contentType
                        properties.headers = headers
                        return withUnsafePointer(to: properties) { use($0, amqp_bytes_t(body)) }
                    }
                }
            }
        }
    }

    private static func withTable<T>(
        _ headers: [String: String], _ use: (amqp_table_t) -> T
    ) -> T {
        // All texts in one piece of memory, which does not move while it is in use.
        let names = headers.keys.sorted()
        let texts = names.flatMap { [Array($0.utf8), Array(headers[$0]!.utf8)] }
        return texts.flatMap(\.self).withUnsafeBytes { bytes in
            var offset = 0
            let pieces = texts.map { text in
                defer { offset += text.count }
                return amqp_bytes_t(
                    UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + text.count)]))
            }
            var entries = names.indices.map { index in
                var entry = amqp_table_entry_t()
                entry.key = pieces[2 * index]
                entry.value.kind = UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
                entry.value.value.bytes = pieces[2 * index + 1]
                return entry
            }
            return entries.withUnsafeMutableBufferPointer { entries in
                use(
                    amqp_table_t(
                        num_entries: Int32(entries.count), entries: entries.baseAddress))
            }
        }
    }
}

extension amqp_bytes_t {
    /// Valid as long as the bytes are; librabbitmq only reads them.
    fileprivate init(_ bytes: UnsafeRawBufferPointer) {
        self.init(
            len: bytes.count, bytes: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
    }
}

extension String {
    func withBytes<T>(_ use: (amqp_bytes_t) -> T) -> T {
        var text = self
        return text.withUTF8 { use(amqp_bytes_t(UnsafeRawBufferPointer($0))) }
    }
}
