import Logging
import MariaDB
import Store
import Synchronization

/// Whether the data are the shop's, and no copy: asked again and again, since an operator may say
/// otherwise at any time.
final class LiveWatch: Sendable {
    private static let pauseSeconds = 1

    private let live: Shared
    private let upkeep: Upkeep

    private final class Shared: Sendable {
        let isLive: Atomic<Bool>

        init(_ isLive: Bool) { self.isLive = Atomic(isLive) }
    }

    /// - Parameter state: as it was found at the start.
    init(_ pool: Pool, now state: ShopState, logger: Logger) {
        let live = Shared(state.isLive)
        self.live = live
        if !state.isLive { Self.sayHeld(logger) }
        upkeep = Upkeep(
            "looking whether this is the shop", everySeconds: Self.pauseSeconds, logger: logger
        ) {
            let isLive = try pool.withConnection { try ShopState.read(on: $0).isLive }
            guard live.isLive.exchange(isLive, ordering: .relaxed) != isLive else { return }
            if isLive {
                logger.notice("this database is the shop: webhooks and notifications go out")
            } else {
                Self.sayHeld(logger)
            }
        }
    }

    /// As it was found the last time, a second ago.
    var isLive: Bool { live.isLive.load(ordering: .relaxed) }

    func stop() { upkeep.stop() }

    private static func sayHeld(_ logger: Logger) {
        logger.critical(
            """
            HELD: this database is a copy of the shop's, so no webhook and no notification is sent \
            until an operator says `commerce resume`; events wait
            """)
    }
}
