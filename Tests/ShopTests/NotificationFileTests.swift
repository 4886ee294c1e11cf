import Commerce
import Events
import FoundationEssentials
import Glibc
import Store
import Testing

/// The channel of the default run.
@Suite struct NotificationFile {
    private static func lines(of path: String) -> [Substring] {
        contents(of: path).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    }

    @Test func `each message is a line of JSON that only its owner may read`() throws {
        let shop = try NotificationServiceUnderTest { FileChannel(path: "\($0)/n.jsonl") }
        let path = "\(shop.scratch.path)/n.jsonl"
        let event = orderEvent(12)
        #expect(try shop.service.deliver([event]) == [.delivered])
        #expect(
            contents(of: path) == """
                {"eventId":"\(event.id.uuidString.lowercased())","orderId":"12",\
                "phone":"010-1234-4112",\
                "text":"[상점] 주문 12번이 결제되었습니다.\\n- 양배추 샐러드 2개 4,000원\\n\
                결제 금액: 4,000원",\
                "type":"order.paid"}

                """)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        // Moved away, as a rotation does it, it begins anew.
        #expect(rename(path, path + ".1") == 0)
        let events = [orderEvent(13), orderEvent(14)]
        #expect(try shop.service.deliver(events) == [.delivered, .delivered])
        #expect(Self.lines(of: path).count == 2)
    }

    @Test func `a line that was cut off does not swallow the next`() throws {
        let shop = try NotificationServiceUnderTest { FileChannel(path: "\($0)/n.jsonl") }
        let path = "\(shop.scratch.path)/n.jsonl"
        try Data(#"{"eventId":"01"#.utf8).write(to: URL(filePath: path))
        #expect(try shop.service.deliver([orderEvent(1)]) == [.delivered])
        let lines = Self.lines(of: path)
        try #require(lines.count == 2)
        #expect(lines[1].hasPrefix("{") && lines[1].hasSuffix("}"))
    }

    @Test func `a file that cannot be written is away, and named`() throws {
        let shop = try NotificationServiceUnderTest { FileChannel(path: "\($0)/none/n.jsonl") }
        let path = "\(shop.scratch.path)/none/n.jsonl"
        #expect(shop.absence(orderEvent(1)) == "\(path): open: No such file or directory")
        #expect(try shop.noted() == 0)
        let full = try shop.another(over: FileChannel(path: "/dev/full"))
        #expect(
            throws: TargetUnavailable(cause: "/dev/full: write: No space left on device")
        ) {
            try full.deliver([orderEvent(1)])
        }
    }

    @Test func `several processes share a file, and two thousand a second go into it`() throws {
        let shop = try NotificationServiceUnderTest { FileChannel(path: "\($0)/n.jsonl") }
        let path = "\(shop.scratch.path)/n.jsonl"
        let batches = (0..<40).map { batch in
            (0..<250).map { orderEvent(Int64(batch * 250 + $0 + 1)) }
        }
        let (results, seconds) = try timed {
            try inParallel(
                batches.count, threads: 2, {}, { try shop.service.deliver(batches[$1]) })
        }
        #expect(results.allSatisfy { $0.allSatisfy { $0 == .delivered } })
        let lines = Self.lines(of: path)
        #expect(lines.count == 10_000)
        #expect(lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
        #expect(try shop.noted() == 10_000)
        #expect(10_000 / seconds > 2_000, "\(Int(10_000 / seconds)) a second")
    }

    @Test func `a file that is deleted while its lock is waited for is begun anew`() throws {
        let shop = try NotificationServiceUnderTest { FileChannel(path: "\($0)/n.jsonl") }
        let path = "\(shop.scratch.path)/n.jsonl"
        let locked = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        #expect(flock(locked, LOCK_EX) == 0)
        let sending = Beside { try shop.service.deliver([orderEvent(1)]) }
        usleep(300_000)  // For it to wait for the lock.
        #expect(unlink(path) == 0)
        close(locked)
        #expect(try sending.value() == [.delivered])
        #expect(Self.lines(of: path).count == 1)
    }

    @Test func `a file that may not grow takes a whole batch or nothing`() throws {
        let shop = try Workshop()
        let path = "\(shop.folder)/notifications.jsonl"
        let filling = Data(repeating: UInt8(ascii: "x"), count: 65_400) + Data("\n".utf8)
        try filling.write(to: URL(filePath: path))
        let worker = try shop.startWorker(["COMMERCE_DELIVERY_PAUSE_MS": "1"], fileKiBMax: 64)
        try shop.database.happen(1)
        #expect(eventually { contents(of: worker.log).contains("File too large") ? 1 : nil } != nil)
        #expect(contents(of: path).utf8.count == filling.count)
        #expect(try shop.count(.delivered) == 0 && worker.ended == nil)
        #expect(rename(path, path + ".1") == 0)
        #expect(try shop.settled())
        #expect(try shop.notifiedEvents().count == 1)
    }
}

/// What else a path may lead to than to a file.
@Suite struct NotificationDescriptors {
    private let shop: NotificationServiceUnderTest

    init() throws { shop = try NotificationServiceUnderTest { _ in RecordingChannel() } }

    private func service(_ path: String) throws -> NotificationService {
        try shop.another(over: FileChannel(path: path))
    }

    /// All that can be read without waiting.
    private func read(_ descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while true {
            var interest = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&interest, 1, 0) == 1 else { break }
            let count = Glibc.read(descriptor, &part, part.count)
            guard count > 0 else { break }
            bytes += part.prefix(count)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func absence(_ service: NotificationService) -> String? {
        do throws(TargetUnavailable) {
            return "\(try service.deliver([orderEvent(1)]))"
        } catch {
            return error.cause
        }
    }

    @Test func `a pipe, a socket and a terminal take lines, each message once`() throws {
        var pipe: [Int32] = [0, 0]
        var pair: [Int32] = [0, 0]
        #expect(Glibc.pipe(&pipe) == 0)
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        let master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var (isLocked, number): (Int32, Int32) = (0, 0)
        #expect(ioctl(master, 0x4004_5431, &isLocked) == 0)  // TIOCSPTLCK
        #expect(ioctl(master, 0x8004_5430, &number) == 0)  // TIOCGPTN
        let terminal = "/dev/pts/\(number)"
        let slave = open(terminal, O_RDWR | O_NOCTTY)
        defer { for descriptor in pipe + pair + [master, slave] { close(descriptor) } }
        for (index, (reader, path)) in [
            (pipe[0], "/dev/fd/\(pipe[1])"), (pipe[0], "/proc/self/fd/\(pipe[1])"),
            (pair[0], "/dev/fd/\(pair[1])"), (master, terminal),
        ].enumerated() {
            let events = (1...3).map { orderEvent(Int64(index * 10 + $0)) }
            let results = try service(path).deliver(events)
            #expect(results == [.delivered, .delivered, .delivered], "\(path)")
            let lines = read(reader).split(whereSeparator: \.isNewline)
            #expect(lines.count == 3 && lines.allSatisfy { $0.hasSuffix("}") }, "\(lines)")
        }
        #expect(try service("/dev/null").deliver([orderEvent(99)]) == [.delivered])
    }

    @Test func `a path without a reader is away at once, and nothing counts as sent`() throws {
        let folder = shop.scratch.path
        let fifo = "\(folder)/fifo"
        #expect(mkfifo(fifo, 0o600) == 0)
        var pipe: [Int32] = [0, 0]
        #expect(Glibc.pipe(&pipe) == 0)
        close(pipe[0])
        let deleted = open("\(folder)/deleted", O_RDWR | O_CREAT, 0o600)
        #expect(unlink("\(folder)/deleted") == 0)
        defer { for descriptor in [pipe[1], deleted] { close(descriptor) } }
        for (path, cause) in [
            (fifo, "no reader"), ("/dev/fd/\(pipe[1])", "Broken pipe"), (folder, "Is a directory"),
            ("/dev/fd/\(deleted)", "deleted"), ("/dev/fd/999", "No such file"),
            ("/dev/full", "No space left on device"),
        ] {
            let service = try service(path)
            let (absence, seconds) = timed { self.absence(service) }
            #expect(absence?.contains(cause) == true, "\(path): \(absence ?? "")")
            #expect(seconds < 15)
        }
        #expect(try shop.noted() == 0)
        // As soon as somebody reads, it goes on.
        let reader = open(fifo, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        #expect(try service(fifo).deliver([orderEvent(1)]) == [.delivered])
        #expect(read(reader).hasSuffix("}\n"))
    }

    @Test func `a pipe that nobody empties holds up nobody for long, and tears no line`() throws {
        var pipe: [Int32] = [0, 0]
        #expect(Glibc.pipe(&pipe) == 0)
        defer { for descriptor in pipe { close(descriptor) } }
        let service = try service("/dev/fd/\(pipe[1])")
        let events = (1...1_000).map { orderEvent(Int64($0)) }
        let (results, seconds) = try timed { try service.deliver(events) }
        #expect(seconds < 30)
        #expect((1..<1_000).contains(results.count { $0 == .delivered }))
        #expect(
            results.allSatisfy { result in
                if case .failed = result { true } else { result == .delivered }
            })
        // Full, so nothing at all goes in.
        #expect(absence(service)?.contains("within") == true)
        var text = read(pipe[0])
        var rest = zip(events, results).filter { $1 != .delivered }.map(\.0)
        while !rest.isEmpty {
            let results = try service.deliver(rest)
            rest = zip(rest, results).filter { $1 != .delivered }.map(\.0)
            text += read(pipe[0])
        }
        let lines = text.split(separator: "\n")
        #expect(lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
        #expect(
            Set(lines.compactMap { $0.firstMatch(of: /"orderId":"([0-9]+)"/)?.1 }).count == 1_000)
        #expect(lines.count == 1_000)
    }
}

/// The worker's own descriptors.
@Suite struct StandardDescriptors {
    private let shop: Workshop

    init() throws { shop = try Workshop() }

    @Test func `a worker that writes to its output tells each buyer once`() throws {
        let output = "\(shop.folder)/output"
        let worker = try shop.startWorker(
            ["COMMERCE_NOTIFICATION_FILE": "/dev/stdout"],
            shell: #"exec "$0" work > >(exec cat >"\#(output)")"#)
        let ids = try shop.database.happen(20)
        #expect(try shop.settled())
        #expect(
            eventually { contents(of: output).contains(ids[19].uuidString.lowercased()) ? 1 : nil }
                != nil)
        #expect(contents(of: output).split(separator: "\n").count == 20)
        withExtendedLifetime(worker) {}
    }

    @Test func `descriptors that are closed at the start are no sockets later`() throws {
        // Nothing can wait for a line of it.
        let worker = try Part(
            ["bash", "-c", #"exec "$0" work <&- >&- 2>&-"#, TestRun.commerce],
            settings: shop.workerSettings([
                "COMMERCE_NOTIFICATION_FILE": "\(shop.folder)/notifications.jsonl"
            ]),
            log: "\(shop.folder)/closed.log")
        try shop.database.happen(5)
        #expect(try shop.settled())
        #expect(try shop.notifiedEvents().count == 5)
        let targets = (0...2).map { descriptor in
            (try? FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/\(worker.pid)/fd/\(descriptor)")) ?? "none"
        }
        #expect(targets == ["/dev/null", "/dev/full", "/dev/null"])
        worker.signal(SIGTERM)
        #expect(worker.end(within: 20) == 0)
    }

    @Test func `a message to an output that is closed does not count as sent`() throws {
        let worker = try Part(
            ["bash", "-c", #"exec "$0" work >&-"#, TestRun.commerce],
            settings: shop.workerSettings(["COMMERCE_NOTIFICATION_FILE": "/dev/stdout"]),
            log: "\(shop.folder)/closed.log", output: "/dev/null")
        try shop.database.happen(1)
        #expect(eventually { contents(of: worker.log).contains("No space left") ? 1 : nil } != nil)
        #expect(try shop.count(.delivered) == 0)
    }
}
