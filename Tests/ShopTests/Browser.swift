import FoundationEssentials
import Glibc
import Synchronization

/// A headless Chromium with one page, driven by the DevTools protocol over a pair of pipes.
///
/// Blocks; every wait is bounded.
final class Browser: Sendable {
    private static let patienceSeconds = 20.0

    private let folder: ScratchFolder
    private let part: Part
    private let session: Mutex<Session>

    /// What the page complained about: exceptions, refusals of its security policy, errors of the
    /// network and of the console.
    var complaints: [String] { session.withLock { $0.complaints } }

    init() throws {
        folder = try ScratchFolder()
        let (toBrowser, fromBrowser) = (folder.path + "/3", folder.path + "/4")
        let commands = try Pipe(at: toBrowser)
        let events = try Pipe(at: fromBrowser)
        part = try Part(
            [
                "sh", "-c", #"exec "$@" 3<"$0/3" 4>"$0/4""#, folder.path, "chromium",
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--remote-debugging-pipe",
                "--user-data-dir=\(folder.path)/profile",
            ], log: folder.path + "/chromium.log")
        session = Mutex(Session(commands: commands, events: events))
        do {
            try session.withLock { try $0.attach() }
        } catch {
            throw Failure("\(error): \(contents(of: part.log).suffix(2_000))")
        }
    }

    deinit { part.stop() }

    /// Goes to an address, and returns when the document is there.
    func open(_ address: String) throws {
        struct Parameters: Encodable { let url: String }
        let reply = try call("Page.navigate", Parameters(url: address))
        if let problem = reply.errorText { throw Failure("\(address): \(problem)") }
        let isThere = try eventually {
            // Not that of the page before.
            try text("location.href != 'about:blank' && document.readyState") == "complete"
                ? true : nil
        }
        if isThere == nil { throw Failure("\(address) is not complete") }
    }

    /// The value of an expression of JavaScript in the page, as text.
    func text(_ expression: String) throws -> String {
        struct Parameters: Encodable {
            let expression: String
            let returnByValue = true
        }
        let reply = try call("Runtime.evaluate", Parameters(expression: "String(\(expression))"))
        guard let value = reply.result?.value else {
            throw Failure("\(expression): \(reply.exceptionDetails?.exception?.description ?? "")")
        }
        return value
    }

    /// Waits until an expression is true.
    func wait(for expression: String, within seconds: Double = patienceSeconds) throws {
        let holds = eventually(within: seconds, pauseMilliseconds: 50) {
            (try? text(expression)) == "true" ? true : nil
        }
        if holds == nil {
            let page = try text("document.body.innerText")
            throw Failure("not within \(seconds) s: \(expression)\n\(page)")
        }
    }

    /// How the page is shown.
    struct Screen {
        let name: String
        let width: Int
        let height: Int
        let isMobile: Bool
        let scheme: String

        static let all = ["light", "dark"].flatMap { scheme in
            [
                Screen(
                    name: "desktop-\(scheme)", width: 1_280, height: 800, isMobile: false,
                    scheme: scheme),
                Screen(
                    name: "phone-\(scheme)", width: 390, height: 844, isMobile: true,
                    scheme: scheme),
            ]
        }
    }

    func show(on screen: Screen) throws {
        struct Metrics: Encodable {
            let width: Int
            let height: Int
            let deviceScaleFactor = 1
            let mobile: Bool
        }
        struct Media: Encodable {
            struct Feature: Encodable {
                let name = "prefers-color-scheme"
                let value: String
            }
            let features: [Feature]
        }
        try call(
            "Emulation.setDeviceMetricsOverride",
            Metrics(width: screen.width, height: screen.height, mobile: screen.isMobile))
        try call(
            "Emulation.setEmulatedMedia",
            Media(features: [Media.Feature(value: screen.scheme)]))
    }

    /// The whole page as a PNG.
    func screenshot() throws -> Data {
        struct Parameters: Encodable { let captureBeyondViewport = true }
        let reply = try call("Page.captureScreenshot", Parameters())
        guard let image = reply.data.flatMap({ Data(base64Encoded: $0) }) else {
            throw Failure("no picture")
        }
        return image
    }

    @discardableResult
    private func call(
        _ method: String, _ parameters: some Encodable & Sendable
    ) throws -> Reply {
        try session.withLock { try $0.call(method, parameters) }
    }

    private struct None: Encodable {}

    /// The conversation: messages are JSON, each ended by a zero byte.
    private struct Session {
        private let commands: Pipe
        private let events: Pipe
        private var number = 0
        private var id: String?
        private(set) var complaints: [String] = []

        init(commands: Pipe, events: Pipe) {
            self.commands = commands
            self.events = events
        }

        mutating func attach() throws {
            struct Target: Encodable { let url = "about:blank" }
            struct Attachment: Encodable {
                let targetId: String
                let flatten = true
            }
            guard let target = try call("Target.createTarget", Target()).targetId else {
                throw Failure("no page")
            }
            id = try call("Target.attachToTarget", Attachment(targetId: target)).sessionId
            for domain in ["Page", "Runtime", "Log"] { try call("\(domain).enable", None()) }
        }

        @discardableResult
        mutating func call(
            _ method: String, _ parameters: some Encodable & Sendable
        ) throws -> Reply {
            number += 1
            let command = Command(
                id: number, method: method, params: parameters, sessionId: id)
            try commands.write(Array(try JSONEncoder().encode(command)) + [0])
            let deadline = ContinuousClock.now + .seconds(Browser.patienceSeconds)
            while true {
                let bytes = try events.message(until: deadline)
                let message = try JSONDecoder().decode(Message.self, from: Data(bytes))
                if let complaint = message.complaint { complaints.append(complaint) }
                guard message.id == number else { continue }
                if let error = message.error { throw Failure("\(method): \(error.message)") }
                return message.result ?? Reply()
            }
        }
    }
}

// MARK: - The protocol

private struct Command<Parameters: Encodable>: Encodable {
    let id: Int
    let method: String
    let params: Parameters
    let sessionId: String?
}

/// What a command returns, of all commands that are used here.
private struct Reply: Decodable {
    struct Value: Decodable { let value: String? }

    var targetId: String?
    var sessionId: String?
    var errorText: String?
    var data: String?
    var result: Value?
    var exceptionDetails: ExceptionDetails?
}

private struct ExceptionDetails: Decodable {
    struct Exception: Decodable { let description: String? }
    let text: String?
    let exception: Exception?
}

/// An answer or an event.
private struct Message: Decodable {
    struct Problem: Decodable { let message: String }
    struct Parameters: Decodable {
        struct Entry: Decodable {
            let level: String
            let text: String
            let url: String?
        }
        let entry: Entry?
        let exceptionDetails: ExceptionDetails?
        let type: String?
    }

    let id: Int?
    let method: String?
    let params: Parameters?
    let result: Reply?
    let error: Problem?

    var complaint: String? {
        switch method {
        case "Runtime.exceptionThrown":
            return params?.exceptionDetails?.exception?.description ?? "an exception"
        case "Log.entryAdded":
            guard let entry = params?.entry, entry.level != "verbose" else { return nil }
            return "\(entry.level): \(entry.text) \(entry.url ?? "")"
        case "Runtime.consoleAPICalled": return "the console: \(params?.type ?? "")"
        default: return nil
        }
    }
}

/// A named pipe. Open for both directions, so that neither end waits for the other to open it.
private final class Pipe {
    private let descriptor: Int32
    private var received: [UInt8] = []

    init(at path: String) throws {
        guard mkfifo(path, 0o600) == 0 else { throw Failure("no pipe at \(path)") }
        descriptor = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("cannot open \(path)") }
    }

    deinit { close(descriptor) }

    func write(_ bytes: [UInt8]) throws {
        // A command is far smaller than the kernel's buffer.
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw Failure("the browser does not read")
        }
    }

    /// The bytes up to the next zero.
    func message(until deadline: ContinuousClock.Instant) throws -> [UInt8] {
        var searched = 0
        while true {
            if let end = received[searched...].firstIndex(of: 0) {
                defer { received.removeFirst(end + 1) }
                return Array(received[..<end])
            }
            searched = received.count
            guard ContinuousClock.now < deadline else { throw Failure("the browser is silent") }
            var interest = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&interest, 1, 100) > 0 else { continue }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = read(descriptor, &buffer, buffer.count)
            if count > 0 { received += buffer[..<count] }
        }
    }
}
