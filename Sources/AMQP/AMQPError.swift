import CRabbitMQ

/// Why a broker did not do what was asked. After one, the connection is not used again.
///
/// The description is one line for operators, and holds no password.
public struct AMQPError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the caller can do about an error.
    public enum Kind: Sendable, Equatable {
        /// Nobody answers, or not in time: try again later.
        case unreachable
        /// The broker says no: to the login, or to what was asked.
        case refused
    }

    public let kind: Kind
    public let description: String

    /// An error in words of one's own.
    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    /// A status of librabbitmq. What it cannot put into a frame nobody refuses but itself.
    init(status: Int32, during act: String) {
        let cannotBeSent = [AMQP_STATUS_BAD_AMQP_DATA, AMQP_STATUS_TABLE_TOO_BIG].contains {
            $0.rawValue == status
        }
        self.init(
            cannotBeSent ? .refused : .unreachable,
            "\(act): \(String(cString: amqp_error_string2(status)))")
    }

    /// The broker does not keep to the protocol.
    init(unexpected what: String) {
        self.init(.unreachable, "the broker sent \(what)")
    }

    /// What the broker said as it closed the channel or the connection, or librabbitmq's status.
    init(_ reply: amqp_rpc_reply_t, during act: String) {
        switch reply.reply_type {
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            self.init(closing: reply.reply, during: act)
        case AMQP_RESPONSE_LIBRARY_EXCEPTION:
            self.init(status: reply.library_error, during: act)
        default:
            self.init(.unreachable, "\(act): the connection ended")
        }
    }

    /// A `connection.close` or `channel.close`.
    init(closing method: amqp_method_t, during act: String) {
        var (code, text): (UInt16, String) = (0, "method \(method.id)")
        switch (Method(rawValue: method.id), method.decoded) {
        case (.connectionClose, let decoded?):
            let close = decoded.load(as: amqp_connection_close_t.self)
            (code, text) = (close.reply_code, String(close.reply_text))
        case (.channelClose, let decoded?):
            let close = decoded.load(as: amqp_channel_close_t.self)
            (code, text) = (close.reply_code, String(close.reply_text))
        default: break
        }
        // 320: an operator, or the broker's own end, closed the connection.
        let kind: Kind = code == 320 ? .unreachable : .refused
        self.init(kind, "\(act): the broker says \(code) \(text)")
    }
}

/// The methods of the protocol that come without being asked for, by class and number.
enum Method: UInt32 {
    case connectionClose = 0x000A_0032
    case channelClose = 0x0014_0028
    case basicCancel = 0x003C_001E
    case basicReturn = 0x003C_0032
    case basicDeliver = 0x003C_003C
    case basicAck = 0x003C_0050
    case basicNack = 0x003C_0078
}

extension String {
    init(_ bytes: amqp_bytes_t) {
        guard let start = bytes.bytes else {
            self = ""
            return
        }
        self.init(
            decoding: UnsafeRawBufferPointer(start: start, count: bytes.len), as: UTF8.self)
    }
}
