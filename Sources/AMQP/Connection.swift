import CRabbitMQ
import Glibc
import Threads

/// One connection to a broker, with one channel. Releasing it closes it.
///
/// Not `Sendable`: one thread at a time uses it. After an error it is not used again: which of the
/// requests on the way have arrived is unknown then, so there is no going on in the middle.
///
/// librabbitmq sends signs of life only while somebody sends or waits. Who leaves a connection alone
/// for longer than ``Broker/heartbeatSeconds`` finds it closed.
public final class Connection {
    static let channel: amqp_channel_t = 1

    /// Bytes of stack that a thread with a connection needs. librabbitmq reads tables in tables by
    /// recursion, and the 26,000 that a broker can put into a frame of 128 KiB took it more than
    /// 2 MiB and less than 4.
    public static let stackBytes = 8 << 20

    private let state: amqp_connection_state_t
    private var isUsable = true

    /// Connects and logs in.
    public init(to broker: Broker) throws(AMQPError) {
        guard let state = amqp_new_connection() else {
            throw AMQPError(.unreachable, "no memory for a connection")
        }
        do throws(AMQPError) {
            try Self.open(state, to: broker)
        } catch {
            amqp_destroy_connection(state)  // A failed init never runs deinit.
            throw error
        }
        self.state = state
    }

    deinit {
        if isUsable { amqp_connection_close(state, AMQP_REPLY_SUCCESS) }
        amqp_destroy_connection(state)
    }

    private static func open(
        _ state: amqp_connection_state_t, to broker: Broker
    ) throws(AMQPError) {
        let socket = try socket(of: state, for: broker)
        var limit = timeval(tv_sec: broker.connectSeconds, tv_usec: 0)
        let status = amqp_socket_open_noblock(socket, broker.host, broker.port, &limit)
        guard status == AMQP_STATUS_OK.rawValue else {
            throw AMQPError(status: status, during: "connect to \(broker)")
        }
        try boundSending(amqp_get_sockfd(state), seconds: broker.sendSeconds)
        limit = timeval(tv_sec: broker.answerSeconds, tv_usec: 0)
        amqp_set_handshake_timeout(state, &limit)
        amqp_set_rpc_timeout(state, &limit)
        let login = amqp_login_plain(
            state, broker.virtualHost, Int32(broker.heartbeatSeconds), broker.user,
            broker.password)
        guard login.reply_type == AMQP_RESPONSE_NORMAL else {
            throw AMQPError(login, during: "log in to \(broker)")
        }
        guard amqp_channel_open(state, channel) != nil else {
            throw AMQPError(amqp_get_rpc_reply(state), during: "open a channel")
        }
    }

    private static func socket(
        of state: amqp_connection_state_t, for broker: Broker
    ) throws(AMQPError) -> OpaquePointer {
        guard let socket = broker.usesTLS ? amqp_ssl_socket_new(state) : amqp_tcp_socket_new(state)
        else { throw AMQPError(.unreachable, "no memory for a socket") }
        guard broker.usesTLS else { return socket }
        // Both are on by default; that they are matters too much to leave it to a default.
        amqp_ssl_socket_set_verify_peer(socket, 1)
        amqp_ssl_socket_set_verify_hostname(socket, 1)
        amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST)
        let status = amqp_ssl_socket_set_cacert(socket, broker.certificateAuthorities)
        guard status == AMQP_STATUS_OK.rawValue else {
            throw AMQPError(status: status, during: "read \(broker.certificateAuthorities)")
        }
        return socket
    }

    /// librabbitmq waits without a limit for what it sends to be taken, so the kernel has to bound
    /// it: it ends a connection on which nothing was taken for this long.
    private static func boundSending(_ socket: Int32, seconds: Int) throws(AMQPError) {
        var milliseconds = UInt32(seconds * 1_000)
        let result = setsockopt(
            socket, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &milliseconds,
            socklen_t(MemoryLayout<UInt32>.size))
        guard result == 0 else {
            throw AMQPError(.unreachable, "TCP_USER_TIMEOUT: \(String(cString: strerror(errno)))")
        }
    }

    // MARK: - Requests that are answered

    /// Makes a durable topic exchange, unless it is there.
    public func declareTopicExchange(_ name: String) throws(AMQPError) {
        try request("declare the exchange \(name)") { bytes in
            amqp_exchange_declare(
                state, Self.channel, bytes(name), bytes("topic"), 0, 1, 0, 0, amqp_table_t()) != nil
        }
    }

    /// Makes a durable quorum queue, unless it is there.
    ///
    /// - Throws: of kind `refused`, too, when it is there with other arguments.
    public func declareQuorumQueue(
        _ name: String, _ arguments: [QueueArgument] = []
    ) throws(AMQPError) {
        let all = [.text("x-queue-type", "quorum")] + arguments
        try request("declare the queue \(name)") { bytes in
            var entries = all.map { $0.entry(bytes) }
            return entries.withUnsafeMutableBufferPointer { entries in
                let table = amqp_table_t(
                    num_entries: Int32(entries.count), entries: entries.baseAddress)
                return amqp_queue_declare(
                    state, Self.channel, bytes(name), 0, 1, 0, 0, table) != nil
            }
        }
    }

    /// Lets a queue have what goes to an exchange under keys of a pattern, such as `order.*`.
    public func bind(
        _ queue: String, to exchange: String, pattern: String
    ) throws(AMQPError) {
        try request("bind \(queue) to \(exchange)") { bytes in
            amqp_queue_bind(
                state, Self.channel, bytes(queue), bytes(exchange), bytes(pattern), amqp_table_t())
                != nil
        }
    }

    /// How many messages of a queue wait for a consumer.
    public func messageCount(of queue: String) throws(AMQPError) -> Int {
        var count = 0
        try request("ask for the queue \(queue)") { bytes in
            let answer = amqp_queue_declare(
                state, Self.channel, bytes(queue), 1, 1, 0, 0, amqp_table_t())
            count = Int(answer?.pointee.message_count ?? 0)
            return answer != nil
        }
        return count
    }

    /// Deletes a queue with all its messages.
    public func deleteQueue(_ name: String) throws(AMQPError) {
        try request("delete the queue \(name)") { bytes in
            amqp_queue_delete(state, Self.channel, bytes(name), 0, 0) != nil
        }
    }

    /// From now on the broker confirms what is published.
    func selectConfirms() throws(AMQPError) {
        try request("ask for confirms") { _ in amqp_confirm_select(state, Self.channel) != nil }
    }

    /// From now on the broker sends the messages of a queue, with so many on the way at most.
    func consume(_ queue: String, prefetch: UInt16) throws(AMQPError) {
        try request("consume \(queue)") { bytes in
            amqp_basic_qos(state, Self.channel, 0, prefetch, 0) != nil
                && amqp_basic_consume(
                    state, Self.channel, bytes(queue), amqp_bytes_t(), 0, 0, 0, amqp_table_t())
                    != nil
        }
    }

    /// - Parameter body: false: the broker said no, or nothing. It gets what makes a text that
    ///   librabbitmq can read until the request is over.
    private func request(
        _ act: String, _ body: ((String) -> amqp_bytes_t) -> Bool
    ) throws(AMQPError) {
        var copies: [UnsafeMutablePointer<CChar>] = []
        defer { for copy in copies { free(copy) } }
        let isDone = body { text in
            guard let copy = strdup(text) else { return amqp_bytes_t() }
            copies.append(copy)
            return amqp_cstring_bytes(copy)
        }
        guard isDone else {
            throw fail(AMQPError(amqp_get_rpc_reply(state), during: act))
        }
        amqp_maybe_release_buffers(state)
    }

    // MARK: - What is sent without an answer

    /// Sends a message, which stays when the broker restarts. Whether it arrived a confirm says.
    ///
    /// - Parameter mandatory: whether the broker returns it when no queue takes it.
    func send(
        _ message: Message, to exchange: String, key: String, mandatory: Bool
    ) throws(AMQPError) {
        let status = message.withProperties { properties, body in
            exchange.withBytes { exchange in
                key.withBytes { key in
                    amqp_basic_publish(
                        state, Self.channel, exchange, key, mandatory ? 1 : 0, 0, properties, body)
                }
            }
        }
        try check(status, during: "publish")
    }

    func acknowledge(_ tag: UInt64) throws(AMQPError) {
        try check(amqp_basic_ack(state, Self.channel, tag, 0), during: "acknowledge")
    }

    func reject(_ tag: UInt64, requeue: Bool) throws(AMQPError) {
        try check(
            amqp_basic_reject(state, Self.channel, tag, requeue ? 1 : 0), during: "reject")
    }

    private func check(_ status: Int32, during act: String) throws(AMQPError) {
        guard status == AMQP_STATUS_OK.rawValue else {
            throw fail(AMQPError(status: status, during: act))
        }
    }

    // MARK: - What comes

    /// The next frame; nil when there is none until the deadline, which may have passed: then only
    /// what is there already is taken.
    func nextFrame(until deadline: MonotonicTime) throws(AMQPError) -> Frame? {
        guard isUsable else { throw AMQPError(.unreachable, "the connection is broken") }
        let milliseconds = max(0, MonotonicTime.now.milliseconds(until: deadline))
        var limit = timeval(
            tv_sec: milliseconds / 1_000, tv_usec: (milliseconds % 1_000) * 1_000)
        var frame = amqp_frame_t()
        let status = amqp_simple_wait_frame_noblock(state, &frame, &limit)
        if status == AMQP_STATUS_TIMEOUT.rawValue { return nil }
        guard status == AMQP_STATUS_OK.rawValue else {
            throw fail(AMQPError(status: status, during: "wait for the broker"))
        }
        // What it points to is librabbitmq's until the buffers are released.
        defer { amqp_maybe_release_buffers_on_channel(state, frame.channel) }
        do throws(AMQPError) {
            return try Frame(frame)
        } catch {
            throw fail(error)
        }
    }

    /// Gives the connection up.
    func fail(_ error: AMQPError) -> AMQPError {
        isUsable = false
        return error
    }
}

/// An argument of a queue, which the broker remembers: it refuses another value later.
public enum QueueArgument: Sendable {
    case text(String, String)
    case number(String, Int64)

    fileprivate func entry(_ bytes: (String) -> amqp_bytes_t) -> amqp_table_entry_t {
        var entry = amqp_table_entry_t()
        switch self {
        case .text(let name, let value):
            entry.key = bytes(name)
            entry.value.kind = UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
            entry.value.value.bytes = bytes(value)
        case .number(let name, let value):
            entry.key = bytes(name)
            entry.value.kind = UInt8(AMQP_FIELD_KIND_I64.rawValue)
            entry.value.value.i64 = value
        }
        return entry
    }
}
