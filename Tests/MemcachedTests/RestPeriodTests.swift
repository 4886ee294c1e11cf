import Testing

@testable import Memcached

@Suite struct RestPeriods {
    private let second: UInt64 = 1_000_000_000

    @Test func `all are admitted while nothing failed`() {
        let rest = RestPeriod()
        for now in 1...5 {
            let ticket = rest.admit(now: UInt64(now))
            #expect(ticket != nil)
            rest.succeeded(ticket!)
        }
        #expect(!rest.isResting)
    }

    @Test func `after a failure nobody is admitted for two seconds, then one`() {
        let rest = RestPeriod()
        rest.failed(now: 10 * second)
        #expect(rest.isResting)
        #expect(rest.admit(now: 10 * second) == nil)
        #expect(rest.admit(now: 12 * second - 1) == nil)
        let probe = rest.admit(now: 12 * second)
        #expect(probe != nil)
        #expect(rest.admit(now: 12 * second) == nil)
        rest.succeeded(probe!)
        #expect(!rest.isResting)
        #expect(rest.admit(now: 12 * second) != nil)
    }

    @Test func `a failed probe begins another rest`() {
        let rest = RestPeriod()
        rest.failed(now: 10 * second)
        _ = rest.admit(now: 13 * second)
        rest.failed(now: 13 * second)
        #expect(rest.admit(now: 15 * second - 1) == nil)
        #expect(rest.admit(now: 15 * second) != nil)
    }

    @Test func `a probe that never came back keeps nobody out for ever`() {
        let rest = RestPeriod()
        rest.failed(now: 10 * second)
        #expect(rest.admit(now: 12 * second) != nil)
        #expect(rest.admit(now: 14 * second) != nil)
    }

    @Test func `an answer that was under way when another failed ends no rest`() {
        let rest = RestPeriod()
        let early = rest.admit(now: 10 * second)!
        rest.failed(now: 10 * second)
        rest.succeeded(early)
        #expect(rest.isResting)
    }
}
