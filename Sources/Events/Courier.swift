import Commerce
import Glibc
import Logging
import Store
import Synchronization
import Threads

/// The thread that brings one target its events, so that a target that hangs holds nobody else up.
///
/// It hands events to the target and marks what became of them: those that the dispatcher has leased
/// to it, and, when it is called, those that it claims, until nothing is due. Then it sleeps.
final class Courier: Sendable {
    /// Between two looks whether what was found out is written.
    private static let settlePauseMicroseconds: UInt32 = 5_000
    /// For a target that asks for a pause: beyond it the events' own pauses are enough.
    private static let restSecondsMax = 60
    /// Looks that find nothing before the courier sleeps, and the pause after each: a claim passes
    /// over what another worker has locked, which may be to look at it only.
    private static let emptyLooksMax = 2
    private static let lookMilliseconds = 20
    /// Of a batch's events that are given up: each gets a line of the log.
    private static let causesMax = 8
    /// Nothing happens then; a wait has to have an end.
    private static let sleepMilliseconds = 3_600_000

    let id: TargetID
    private let target: any Target
    private let deliveries: Deliveries
    private let share: DatabaseShare
    private let options: Worker.Options
    private let outage: Outage
    private let logger: Logger
    private let measurements: DeliveryMeasurements
    private let findings: Findings
    private let ringDispatcher: @Sendable () -> Void
    private let bell = Bell()
    private let tray = Mutex(Tray())
    private let ended = Atomic<Bool>(false)

    init(
        for id: TargetID, _ target: any Target, _ deliveries: Deliveries,
        sharing share: DatabaseShare, _ findings: Findings, options: Worker.Options, outage: Outage,
        logger: Logger, ringDispatcher: @escaping @Sendable () -> Void
    ) {
        self.id = id
        self.target = target
        self.deliveries = deliveries
        self.share = share
        self.options = options
        self.outage = outage
        self.logger = logger
        self.findings = findings
        self.ringDispatcher = ringDispatcher
        measurements = DeliveryMeasurements(of: id, target)
    }

    /// What the dispatcher has put before the courier.
    private struct Tray {
        var leased: Leased?
        /// Something may be due in the database. So it is for a new courier.
        var isCalled = true
        /// Since when there is no room for more; nil while there is.
        var busySince: MonotonicTime? = .now
    }

    /// Deliveries that are this worker's until the end of their lease.
    private struct Leased {
        let deliveries: [Delivery]
        let end: MonotonicTime
    }

    /// Since when the courier can not ``take(_:until:)`` any more, because it has a batch before it
    /// or catches up with what is due in the database; nil when it can.
    var busySince: MonotonicTime? { tray.withLock { $0.busySince } }

    /// Deliveries for which nobody has to ask the database any more. Only for a courier that is not
    /// busy.
    func take(_ deliveries: [Delivery], until leaseEnd: MonotonicTime) {
        tray.withLock { tray in
            precondition(tray.leased == nil, "A courier has one batch before it at most.")
            tray.leased = Leased(deliveries: deliveries, end: leaseEnd)
            tray.busySince = .now
        }
        bell.ring()
    }

    /// There may be something to claim.
    func call() {
        tray.withLock { tray in
            tray.isCalled = true
            tray.busySince = tray.busySince ?? .now
        }
        bell.ring()
    }

    /// Finishes what it is at, and then ends.
    func stop() { bell.stop() }

    var hasEnded: Bool { ended.load(ordering: .acquiring) }

    /// For when it has ended: it may have been given something meanwhile.
    func giveBackNotBegun() {
        if let leased = takeLeased() { giveBack(leased.deliveries, leasedUntil: leased.end) }
    }

    /// Works until it is stopped.
    func run() {
        var work = Work(name: id.name)
        repeat { workOff(&work) } while bell.wait(milliseconds: Self.sleepMilliseconds)
        outage.forget(id.name)
        ended.store(true, ordering: .releasing)
    }

    /// What the thread keeps from one batch to the next.
    private struct Work {
        let name: String
        var databasePause = GrowingPause(firstMilliseconds: 100, millisecondsMax: 5_000)
        /// Between asking a target that cannot take anything, and one that fails at everything.
        var unavailablePause = GrowingPause(firstMilliseconds: 500, millisecondsMax: 30_000)
        var failurePause = GrowingPause(firstMilliseconds: 100, millisecondsMax: 5_000)
        /// Of the last attempts, which all failed.
        var complaint = Complaint()
    }

    /// Until there is nothing more to do.
    private func workOff(_ work: inout Work) {
        while !bell.isStopped {
            if let leased = takeLeased() {
                deliver(leased, &work)
            } else if tray.withLock({ $0.isCalled }) {
                claimAll(&work)
            } else {
                return
            }
        }
    }

    private func takeLeased() -> Leased? {
        let leased = tray.withLock { tray in
            defer { tray.leased = nil }
            if tray.leased != nil && !tray.isCalled { tray.busySince = nil }
            return tray.leased
        }
        if leased != nil { ringDispatcher() }
        return leased
    }

    /// In calls that the target can take. What is not tried by the middle of the lease might not end
    /// with it.
    private func deliver(_ leased: Leased, _ work: inout Work) {
        let latest = leased.end.advanced(byMilliseconds: -options.leaseMilliseconds / 2)
        var rest = leased.deliveries[...]
        while !rest.isEmpty {
            guard !bell.isStopped && .now < latest else { break }
            let call = Array(rest.prefix(target.eventsMax))
            rest = rest.dropFirst(call.count)
            guard let pause = deliver(call, until: leased.end, &work) else { break }
            bell.pause(milliseconds: pause)
        }
        giveBack(Array(rest), leasedUntil: leased.end)
    }

    /// Until nothing is due; a batch that is put before the courier meanwhile comes between.
    private func claimAll(_ work: inout Work) {
        tray.withLock { $0.isCalled = false }
        var emptyLooks = 0
        while !bell.isStopped && emptyLooks < Self.emptyLooksMax {
            let leaseEnd = MonotonicTime.now.advanced(byMilliseconds: options.leaseMilliseconds)
            guard let claimed = claim(&work) else { continue }
            if claimed.isEmpty {
                emptyLooks += 1
                bell.pause(milliseconds: Self.lookMilliseconds)
            } else {
                bell.pause(milliseconds: deliver(claimed, until: leaseEnd, &work) ?? 0)
            }
            if let leased = takeLeased() { deliver(leased, &work) }
        }
        catchUp()
    }

    /// Nothing is due any more: from now on the dispatcher may lease events to this courier.
    private func catchUp() {
        tray.withLock { tray in
            if !tray.isCalled && tray.leased == nil { tray.busySince = nil }
        }
        ringDispatcher()
    }

    /// - Returns: nil, after a pause, when MariaDB does not answer.
    private func claim(_ work: inout Work) -> [Delivery]? {
        do {
            let claimed = try share.turn {
                try deliveries.claim(
                    id, countMax: target.eventsMax, leaseMilliseconds: options.leaseMilliseconds)
            }
            outage.ends(for: work.name)
            work.databasePause.reset()
            return claimed
        } catch {
            outage.begins(for: work.name, error)
            bell.pause(milliseconds: work.databasePause.next())
            return nil
        }
    }

    // MARK: - One batch

    /// - Returns: milliseconds for which the target is to be left alone; nil when it is gone.
    private func deliver(
        _ claimed: [Delivery], until leaseEnd: MonotonicTime, _ work: inout Work
    ) -> Int? {
        if bell.isStopped {
            giveBack(claimed, leasedUntil: leaseEnd)
            return 0
        }
        do throws(TargetUnavailable) {
            let results = try target.deliver(claimed.map(\.event))
            precondition(results.count == claimed.count, "A target owes a result for each event.")
            work.unavailablePause.reset()
            settle(claimed, results, until: leaseEnd, &work)
            if let cause = results.lazy.compactMap(\.causeOfGoing).first {
                switchOff(because: cause, leasedUntil: leaseEnd)
                return nil
            }
            return rest(after: results, &work)
        } catch {
            note(failure: error.cause, &work)
            giveBack(claimed, leasedUntil: leaseEnd)
            return work.unavailablePause.next()
        }
    }

    private func settle(
        _ claimed: [Delivery], _ results: [DeliveryResult], until leaseEnd: MonotonicTime,
        _ work: inout Work
    ) {
        let marks = zip(claimed, results).map { delivery, result in
            Mark(
                delivery,
                options.backoff.verdict(
                    on: result, attempt: delivery.attempt, luck: .random(in: 0...1)))
        }
        add(marks, leasedUntil: leaseEnd)
        for (delivery, result) in zip(claimed, results) {
            measurements.count(result, of: delivery.event.id)
            log(result, of: delivery)
        }
        report(marks, &work)
    }

    /// A target that asks for a pause gets it for all of its events; and one that took nothing at
    /// all is not hurried through what else waits for it.
    private func rest(after results: [DeliveryResult], _ work: inout Work) -> Int {
        let wishes = results.compactMap(\.wishOfFailure)
        let seconds = max(0, min(wishes.max() ?? 0, Self.restSecondsMax))
        if wishes.count < results.count {
            work.failurePause.reset()
            return seconds * 1_000
        }
        return max(seconds * 1_000, work.failurePause.next())
    }

    private func giveBack(_ deliveries: [Delivery], leasedUntil leaseEnd: MonotonicTime) {
        add(deliveries.map { Mark($0, .givenBack) }, leasedUntil: leaseEnd)
    }

    /// The dispatcher writes them.
    private func add(_ marks: [Mark], leasedUntil leaseEnd: MonotonicTime) {
        if marks.isEmpty { return }
        findings.add(.init(target: id, marks: marks, leaseEnd: leaseEnd))
        ringDispatcher()
    }

    /// What has become of the others is written first: switching off cancels what is pending. If
    /// that comes to nothing, the next event finds the target gone again; so it does after a stop,
    /// when the dispatcher writes only once all couriers have ended.
    private func switchOff(because cause: String, leasedUntil leaseEnd: MonotonicTime) {
        while !findings.hasSettled(id) {
            guard !bell.isStopped && .now < leaseEnd else { return }
            usleep(Self.settlePauseMicroseconds)
        }
        do {
            try deliveries.switchOff(id, because: cause)
            logger.warning(
                "endpoint switched off", metadata: ["target": "\(id.name)", "cause": "\(cause)"])
        } catch {
            outage.begins(for: id.name, error)
        }
    }

    // MARK: - The log

    /// Each event at its target, for who follows a request by its trace. By default only what was
    /// given up is logged, in a line for all.
    private func log(_ result: DeliveryResult, of delivery: Delivery) {
        guard logger.logLevel <= .debug else { return }
        var fields: Logger.Metadata = [
            "target": "\(id.name)", "event_id": "\(delivery.event.id.lowercased)",
            "type": "\(delivery.event.type.rawValue)",
            "attempt": .stringConvertible(delivery.attempt),
        ]
        fields["trace_id"] = delivery.event.traceID.map { "\($0)" }
        fields["cause"] = result.cause.map { "\($0)" }
        logger.debug(result == .delivered ? "event delivered" : "event not taken", metadata: fields)
    }

    private func report(_ marks: [Mark], _ work: inout Work) {
        let dead = Dictionary(grouping: marks.compactMap(\.verdict.causeOfDeath)) { $0 }
        for (cause, events) in dead.prefix(Self.causesMax) {
            logger.error(
                "events given up",
                metadata: [
                    "target": "\(id.name)", "count": "\(events.count)", "cause": "\(cause)",
                ])
        }
        if marks.contains(where: { $0.verdict == .delivered }) {
            if work.complaint.ends() {
                logger.info("target takes events again", metadata: ["target": "\(id.name)"])
            }
        } else if let cause = marks.lazy.compactMap(\.verdict.causeOfPause).first {
            note(failure: cause, &work)
        }
    }

    /// Not for each event.
    private func note(failure cause: String, _ work: inout Work) {
        guard work.complaint.isNews(cause) else { return }
        logger.warning(
            "target fails", metadata: ["target": "\(id.name)", "cause": "\(cause)"])
    }
}

extension DeliveryResult {
    /// Seconds, 0 where the target asked for none; nil for what did not fail.
    fileprivate var wishOfFailure: Int? {
        if case .failed(_, let seconds) = self { seconds ?? 0 } else { nil }
    }

    fileprivate var cause: String? {
        switch self {
        case .delivered: nil
        case .failed(let cause, _), .rejected(let cause), .gone(let cause): cause
        }
    }

    fileprivate var causeOfGoing: String? {
        if case .gone(let cause) = self { cause } else { nil }
    }
}

extension Mark.Verdict {
    fileprivate var causeOfDeath: String? {
        if case .dead(let cause) = self { cause } else { nil }
    }

    fileprivate var causeOfPause: String? {
        if case .again(_, let cause) = self { cause } else { nil }
    }
}
