import AMQP
import Commerce
import Glibc
import Logging
import Store
import Synchronization
import Threads

/// The thread that looks for what is to be done: it dispatches new events, learns which targets there
/// are, and calls the couriers of those that something is due for.
///
/// What the couriers have found out it writes in the same transaction, so that all of them together
/// cost the database one commit. It keeps pace with them: what they can deliver at once is leased to
/// them as it is dispatched, which spares the database a claim. A courier that does not come back
/// for a while is not waited for; what it misses is due in the database, for it or another worker.
final class Dispatcher: Sendable {
    /// The longest rest of the database: half a second for a lease of a minute.
    private static let restsInLease = 120
    /// Between two looks for new events: most of the time from a commit to the first delivery.
    private static let pollMilliseconds = 50
    /// Between two looks at all targets, for new ones, retries, and what other workers left behind.
    private static let surveyMilliseconds = 1_000
    /// For which a courier that is busy holds up the others.
    private static let patienceMilliseconds = 1_000
    /// Marks written in one transaction, or a few more.
    private static let marksMax = 2_000
    /// After the end, before the marks are left to the leases; and the pause after each.
    private static let lastFailuresMax = 3
    private static let lastPauseMicroseconds: UInt32 = 250_000
    /// Transactions in a row that cancel deliveries of endpoints that are switched off.
    private static let cancelsMax = 10
    private static let name = "dispatch"

    private struct Employed {
        let courier: Courier
        let thread: WorkerThread
    }

    private let deliveries: Deliveries
    private let makeTarget: @Sendable (TargetID) -> any Target
    private let share: DatabaseShare
    private let findings = Findings()
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
        share = DatabaseShare(
            longestRest: .milliseconds(options.leaseMilliseconds / Self.restsInLease))
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
                let ready = readyTargets()
                let isFull = try work(leasing: ready)
                outage.ends(for: Self.name)
                pause.reset()
                if !isFull && findings.isEmpty {
                    _ = bell.wait(milliseconds: Self.pollMilliseconds)
                }
            } catch {
                outage.begins(for: Self.name, error)
                bell.pause(milliseconds: pause.next())
            }
        }
        dismissAll()
        writeLast()
        ended.store(true, ordering: .releasing)
    }

    /// Writes what the couriers have found out, and dispatches events unless a courier is only a
    /// moment late.
    ///
    /// - Returns: whether there may be more events.
    private func work(leasing ready: Set<TargetID>?) throws -> Bool {
        // Counted from before the database does, so that it ends here first.
        let leaseEnd = MonotonicTime.now.advanced(byMilliseconds: options.leaseMilliseconds)
        guard let ready else {
            _ = try write { try (deliveries.mark($0), .nothing) }
            return false
        }
        let dispatch = try write {
            try deliveries.mark(
                $0, andDispatchLeasing: ready, leaseMilliseconds: options.leaseMilliseconds)
        }
        for (target, leased) in dispatch.leased {
            courier(for: target).take(leased, until: leaseEnd)
        }
        for target in dispatch.due { courier(for: target).call() }
        return dispatch.isFull
    }

    /// Has `turn` write what is not written yet.
    private func write(
        _ turn: ([Mark]) throws -> (lost: Int, dispatch: Deliveries.Dispatch)
    ) throws -> Deliveries.Dispatch {
        let batches = findings.take(marksMax: Self.marksMax)
        do {
            let marks = batches.flatMap(\.marks)
            let (lost, dispatch) = try share.turn {
                marks.count + $0.dispatch.deliveries
            } _: {
                try turn(marks)
            }
            findings.written()
            if lost > 0 { logger.debug("lease lost", metadata: ["count": "\(lost)"]) }
            return dispatch
        } catch  where error.mayPass || batches.isEmpty {
            report(unwritten: findings.notWritten())
            throw error
        } catch {
            do {
                try writeApart(batches.flatMap(\.marks))
            } catch {
                report(unwritten: findings.notWritten())
                throw error
            }
            findings.written()
            return .nothing
        }
    }

    /// Writes marks that the database refuses as a whole: all but those that it refuses by themselves,
    /// which are left to their leases.
    private func writeApart(_ marks: [Mark]) throws {
        do {
            _ = try share.turn { try deliveries.mark(marks) }
        } catch  where !error.mayPass {
            guard marks.count > 1 else {
                for mark in marks { report(unmarkable: mark, error) }
                return
            }
            try writeApart(Array(marks.prefix(marks.count / 2)))
            try writeApart(Array(marks.dropFirst(marks.count / 2)))
        }
    }

    private func report(unmarkable mark: Mark, _ error: any Error) {
        logger.error(
            "a delivery cannot be marked, so it will be repeated",
            metadata: [
                "event": "\(mark.delivery.event.id.lowercased)", "cause": "\(error)",
            ])
    }

    /// When all have ended.
    private func writeLast() {
        var failures = 0
        while !findings.isEmpty && failures < Self.lastFailuresMax {
            do {
                _ = try write { try (deliveries.mark($0), .nothing) }
            } catch {
                outage.begins(for: Self.name, error)
                failures += 1
                usleep(Self.lastPauseMicroseconds)
            }
        }
        report(unwritten: findings.take(marksMax: .max))
    }

    private func report(unwritten batches: [Findings.Batch]) {
        for batch in batches {
            let sent = batch.marks.count { $0.verdict != .givenBack }
            if sent == 0 { continue }
            logger.warning(
                "sent and not marked, so it will be sent again",
                metadata: [
                    "target": "\(batch.target.name)", "count": "\(sent)",
                ])
        }
    }

    private func survey() throws {
        let targets = try share.turn { try deliveries.targets() }
        for (target, isDue) in targets {
            let courier = courier(for: target)
            if isDue { courier.call() }
        }
        dismiss(allBut: Set(targets.map(\.target)))
        try cancelForSwitchedOff()
    }

    private func cancelForSwitchedOff() throws {
        for _ in 0..<Self.cancelsMax {
            let canceled = try share.turn { try deliveries.cancelForSwitchedOff() }
            if canceled == 0 { return }
        }
    }

    // MARK: - Couriers

    /// - Returns: nil while a courier is only a moment late.
    private func readyTargets() -> Set<TargetID>? {
        let latest = MonotonicTime.now.advanced(byMilliseconds: -Self.patienceMilliseconds)
        let couriers = couriers.withLock { $0.mapValues(\.courier.busySince) }
        if couriers.values.contains(where: { $0.map { latest < $0 } ?? false }) { return nil }
        return Set(couriers.filter { $0.value == nil }.keys)
    }

    private func courier(for id: TargetID) -> Courier {
        couriers.withLock { couriers in
            if let employed = couriers[id] { return employed.courier }
            let bell = bell
            let courier = Courier(
                for: id, makeTarget(id), deliveries, sharing: share, findings, options: options,
                outage: outage, logger: logger, ringDispatcher: { bell.ring() })
            couriers[id] = Employed(
                courier: courier,
                thread: WorkerThread(stackBytes: Connection.stackBytes) { courier.run() })
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
        for employed in gone.values { end(employed) }
    }

    private func dismissAll() {
        let all = couriers.withLock { couriers in
            for employed in couriers.values { employed.courier.stop() }
            return couriers
        }
        for employed in all.values { end(employed) }
    }

    private func end(_ employed: Employed) {
        employed.thread.join()
        employed.courier.giveBackNotBegun()
    }
}
