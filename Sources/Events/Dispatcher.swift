import Commerce
import Logging
import Store
import Synchronization
import Threads

/// The thread that looks for what is to be done: it dispatches new events, learns which targets there
/// are, and calls the couriers of those that something is due for.
final class Dispatcher: Sendable {
    /// Between two looks for new events: most of the time from a commit to the first delivery.
    private static let pollMilliseconds = 50
    /// Between two looks at all targets, for new ones, retries, and what other workers left behind.
    private static let surveyMilliseconds = 1_000
    /// Transactions in a row that cancel deliveries of endpoints that are switched off.
    private static let cancelsMax = 10
    private static let name = "dispatch"

    private struct Employed {
        let courier: Courier
        let thread: WorkerThread
    }

    private let deliveries: Deliveries
    private let makeTarget: @Sendable (TargetID) -> any Target
    private let options: Worker.Options
    private let outage: Outage
    private let logger: Logger
    private let bell = Bell()
    private let couriers = Mutex<[TargetID: Employed]>([:])
    private let ended = Atomic<Bool>(false)

    init(
        _ deliveries: Deliveries, options: Worker.Options, logger: Logger,
        makeTarget: @escaping @Sendable (TargetID) -> any Target
    ) {
        self.deliveries = deliveries
        self.makeTarget = makeTarget
        self.options = options
        self.logger = logger
        outage = Outage(logger: logger)
    }

    /// Has everybody finish what they are at, and then ``run()`` end.
    func stop() {
        bell.stop()
        couriers.withLock { couriers in
            for employed in couriers.values { employed.courier.stop() }
        }
    }

    var hasEnded: Bool { ended.load(ordering: .acquiring) }

    /// Works until it is stopped and all couriers have ended.
    func run() {
        var nextSurvey = MonotonicTime.now
        var pause = GrowingPause(firstMilliseconds: 100, millisecondsMax: 5_000)
        while !bell.isStopped {
            do {
                if nextSurvey <= .now {
                    try survey()
                    nextSurvey = .now.advanced(byMilliseconds: Self.surveyMilliseconds)
                }
                let dispatch = try deliveries.dispatch()
                outage.ends(for: Self.name)
                pause.reset()
                for target in dispatch.targets { courier(for: target).call() }
                if !dispatch.isFull { _ = bell.wait(milliseconds: Self.pollMilliseconds) }
            } catch {
                outage.begins(for: Self.name, error)
                bell.pause(milliseconds: pause.next())
            }
        }
        dismissAll()
        ended.store(true, ordering: .releasing)
    }

    private func survey() throws {
        let targets = try deliveries.targets()
        for (target, isDue) in targets {
            let courier = courier(for: target)
            if isDue { courier.call() }
        }
        dismiss(allBut: Set(targets.map(\.target)))
        try cancelForSwitchedOff()
    }

    private func cancelForSwitchedOff() throws {
        for _ in 0..<Self.cancelsMax {
            if try deliveries.cancelForSwitchedOff() == 0 { return }
        }
    }

    // MARK: - Couriers

    private func courier(for id: TargetID) -> Courier {
        couriers.withLock { couriers in
            if let employed = couriers[id] { return employed.courier }
            let courier = Courier(
                for: id, makeTarget(id), deliveries, options: options, outage: outage,
                logger: logger)
            couriers[id] = Employed(
                courier: courier, thread: WorkerThread { courier.run() })
            return courier
        }
    }

    /// Dismisses the couriers of targets that are switched off, once they have ended.
    private func dismiss(allBut targets: Set<TargetID>) {
        let gone = couriers.withLock { couriers in
            for (id, employed) in couriers where !targets.contains(id) { employed.courier.stop() }
            let gone = couriers.filter { $0.value.courier.hasEnded }
            for id in gone.keys { couriers[id] = nil }
            return gone
        }
        for employed in gone.values { employed.thread.join() }
    }

    private func dismissAll() {
        let all = couriers.withLock { couriers in
            for employed in couriers.values { employed.courier.stop() }
            return couriers
        }
        for employed in all.values { employed.thread.join() }
    }
}
