import Dispatch
import Glibc
import ShopParts
import Synchronization

/// A place in the shop that one process after another fills.
final class Post: Sendable {
    /// How long one fault or a start may hold a post, before something else has hung.
    private static let patienceSeconds = 120.0
    /// After which a process has made what it keeps, under load.
    private static let warmUpSeconds = 10.0
    private static let stopSeconds = 30.0

    let name: String
    private let start: @Sendable () throws -> Part
    /// What asks it to end when its work is done.
    private let stopSignal: Int32
    private let part: Mutex<Part>
    private let began = Mutex(ContinuousClock.now)
    private let turn = DispatchSemaphore(value: 1)
    private let baseline = Mutex<Vitals?>(nil)

    init(
        _ name: String, stopSignal: Int32 = SIGTERM, start: @escaping @Sendable () throws -> Part
    ) throws {
        self.name = name
        self.stopSignal = stopSignal
        self.start = start
        part = Mutex(try start())
    }

    var current: Part { part.withLock { $0 } }

    /// One fault at a time.
    func exclusively<T>(_ body: () throws -> T) throws -> T {
        guard turn.wait(timeout: .now() + Self.patienceSeconds) == .success else {
            throw Failure("\(name) is held for \(Self.patienceSeconds) s")
        }
        defer { turn.signal() }
        return try body()
    }

    /// Fills the post again, as a supervisor does: what it needs may be away for a while.
    func fill() throws {
        var last: (any Error)?
        let filled = eventually(within: Self.patienceSeconds, pauseMilliseconds: 100) {
            () -> Part? in
            do { return try start() } catch { last = error }
            return nil
        }
        guard let filled else {
            throw Failure("\(name) does not start: \(last.map { "\($0)" } ?? "")")
        }
        part.withLock { $0 = filled }
        began.withLock { $0 = .now }
        baseline.withLock { $0 = nil }
    }

    func kill() {
        current.signalAll(SIGKILL)
        _ = current.end(within: 10)
    }

    /// Ends it and whatever it has started.
    func stop() {
        current.signalAll(SIGCONT)
        current.signal(stopSignal)
        _ = current.end(within: Self.stopSeconds)
        current.stop()
    }

    // MARK: - Vitals

    /// Takes what it has now as what it may have; once for each process, when it is warm.
    func measure() {
        guard began.withLock({ $0.duration(to: .now) > .seconds(Self.warmUpSeconds) }),
            let now = Vitals(of: current.pid)
        else { return }
        baseline.withLock { if $0 == nil { $0 = now } }
    }

    /// Says how the present process has grown; nil where it has not, or has just begun.
    var growth: String? {
        guard let before = baseline.withLock({ $0 }), let now = Vitals(of: current.pid) else {
            return nil
        }
        return now.growth(since: before).map { "\(name) \($0)" }
    }
}

/// What a process has.
struct Vitals: Sendable {
    /// Of descriptors: connections that are made when they are needed, and then kept. A worker keeps
    /// 64 to receivers alone.
    private static let descriptorsGrowthMax = 96
    /// Of memory: buffers that are made when they are needed, and then kept. A leak of 4 kB a
    /// request would show in a run of two minutes.
    private static let memoryGrowthMaxKB = 32 * 1_024

    let descriptors: Int
    let memoryKB: Int

    /// Nil when there is no such process.
    init?(of pid: pid_t) {
        guard let directory = opendir("/proc/\(pid)/fd") else { return nil }
        defer { closedir(directory) }
        var count = -2  // Itself and the folder above.
        while readdir(directory) != nil { count += 1 }
        descriptors = count
        let status = contents(of: "/proc/\(pid)/status").split(separator: "\n")
        guard let line = status.first(where: { $0.hasPrefix("VmRSS:") }),
            let number = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first
        else { return nil }
        memoryKB = Int(number) ?? 0
    }

    func growth(since before: Vitals) -> String? {
        if descriptors > before.descriptors + Self.descriptorsGrowthMax {
            return "had \(before.descriptors) descriptors and has \(descriptors)"
        }
        if memoryKB > before.memoryKB + Self.memoryGrowthMaxKB {
            return "had \(before.memoryKB) kB of memory and has \(memoryKB) kB"
        }
        return nil
    }
}
