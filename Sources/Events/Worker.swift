public import Commerce
public import Logging
public import Store
public import Threads

/// Brings events to their targets, until it is told to stop.
///
/// One thread dispatches, and one thread a target delivers. Any number of workers on any number of
/// machines may do so at once: what they share are rows of the database, which they hand to each
/// other by locks and leases. So one that is killed at whatever moment loses nothing; what it had
/// sent and not yet marked is sent again.
public struct Worker: Sendable {
    /// How a worker delivers.
    public struct Options: Sendable {
        public var backoff = Backoff()
        /// For which a worker keeps a delivery to itself: longer than any call of a target takes.
        /// Too short means that events are sent twice; too long, that those of a worker that died
        /// are late.
        public var leaseMilliseconds = 60_000
        /// For the targets to finish what they are at when the worker is to stop. Beyond it the
        /// process ends, and the lease does the rest.
        public var stopSeconds = 20

        public init() {}
    }

    private let dispatcher: Dispatcher
    private let options: Options
    private let logger: Logger

    /// - Parameter makeTarget: called once for each target, before it gets its first event.
    public init(
        _ deliveries: Deliveries, options: Options = Options(), logger: Logger,
        makeTarget: @escaping @Sendable (TargetID) -> any Target
    ) {
        dispatcher = Dispatcher(
            deliveries, options: options, logger: logger, makeTarget: makeTarget)
        self.options = options
        self.logger = logger
    }

    /// Works until `signals` reports a stop; then finishes what is being sent, marks it, and gives
    /// back what is not. A second signal ends the process at once.
    public func run(until signals: StopSignals) {
        let dispatcher = dispatcher
        let thread = WorkerThread { dispatcher.run() }
        logger.info("working")
        signals.wait {}
        logger.info("stopping")
        dispatcher.stop()
        guard signals.wait(seconds: options.stopSeconds, { dispatcher.hasEnded }) else {
            logger.warning("ending amid deliveries; they are due again when their lease has ended")
            return  // The process ends with the stuck ones.
        }
        thread.join()
    }
}
