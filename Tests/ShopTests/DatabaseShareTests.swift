import Glibc
import Testing

@testable import Events

/// What a worker leaves of the database to the orders.
@Suite struct DatabaseShares {
    private let share = DatabaseShare(longestRest: .milliseconds(500))

    @Test func `turns never overlap, and each is rested from`() throws {
        let (underWay, overlaps) = (Tally(), Shared(0))
        let share = share
        let (_, seconds) = try timed {
            try inParallel(20, threads: 4, nothing) { _, _ in
                share.turn {
                    if underWay.add() % 2 != 0 { overlaps.withLock { $0 += 1 } }
                    usleep(10_000)
                    underWay.add()
                }
            }
        }
        #expect(overlaps.withLock { $0 } == 0)
        #expect(underWay.count == 40)
        #expect(seconds > 0.38)  // 20 turns of 10 ms, and 19 rests.
    }

    @Test func `a rest is as long as its turn while the database is as quick as it can be`() {
        var rests = Rests(longest: .milliseconds(500))
        for _ in 1...50 {
            #expect(rests.next(after: .milliseconds(7), rows: 1_000) == .milliseconds(7))
        }
        #expect(rests.next(after: .milliseconds(3), rows: 0) == .milliseconds(3))
    }

    @Test func `a slow database is left alone for much longer, until it is quick again`() {
        var rests = Rests(longest: .milliseconds(500))
        _ = rests.next(after: .milliseconds(10), rows: 1_000)
        for _ in 1...50 { _ = rests.next(after: .milliseconds(20), rows: 1_000) }
        #expect((1.9...2.1).contains(rests.slowness))
        // What is said by few rows does not count.
        for _ in 1...50 { _ = rests.next(after: .milliseconds(20), rows: 10) }
        #expect(rests.next(after: .milliseconds(20), rows: 1_000) > .milliseconds(250))
        for _ in 1...50 { _ = rests.next(after: .milliseconds(10), rows: 1_000) }
        #expect(rests.next(after: .milliseconds(10), rows: 1_000) < .milliseconds(12))
    }

    @Test func `one turn that stood still does not count for many`() {
        var rests = Rests(longest: .milliseconds(500))
        for _ in 1...5 { _ = rests.next(after: .milliseconds(10), rows: 1_000) }
        _ = rests.next(after: .seconds(60), rows: 1_000)
        #expect(rests.next(after: .milliseconds(10), rows: 1_000) < .milliseconds(60))
    }

    @Test func `a turn that waited for a lock is not rested from for as long`() {
        var rests = Rests(longest: .milliseconds(500))
        #expect(rests.next(after: .seconds(5), rows: 1) == .milliseconds(500))
    }

    @Test func `what a turn throws ends it`() {
        #expect(throws: Failure.self) { try share.turn { throw Failure("no") } }
        #expect(share.turn { 7 } == 7)
    }
}
