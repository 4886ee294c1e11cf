import Store
import Testing

@testable import Events

/// When what failed is tried again, and when it is given up.
@Suite struct Backoffs {
    private let backoff = Backoff()

    private func failed(_ retryAfterSeconds: Int? = nil) -> DeliveryResult {
        .failed(cause: "500", retryAfterSeconds: retryAfterSeconds)
    }

    private func pauses(luck: Double) -> [Int] {
        (1...12).map { backoff.pauseMilliseconds(after: $0, luck: luck) / 1_000 }
    }

    @Test func `pauses grow four times from five seconds, up to six hours`() {
        let sixHours = 6 * 60 * 60
        #expect(
            pauses(luck: 1) == [
                5, 20, 80, 320, 1_280, 5_120, 20_480, sixHours, sixHours, sixHours, sixHours,
                sixHours,
            ])
    }

    @Test func `half of a pause is luck`() {
        #expect(zip(pauses(luck: 0), pauses(luck: 1)).allSatisfy { $0 == $1 / 2 })
        let seen = Set(
            (1...100).map { _ in
                backoff.pauseMilliseconds(after: 1, luck: .random(in: 0...1))
            })
        #expect(seen.count > 10)
        #expect(seen.allSatisfy { (2_500...5_000).contains($0) })
    }

    @Test func `the last attempt that fails is the end`() {
        #expect(
            backoff.verdict(on: failed(), attempt: 11, luck: 1)
                == .again(afterMilliseconds: 21_600_000, cause: "500"))
        #expect(backoff.verdict(on: failed(), attempt: 12, luck: 1) == .dead(cause: "500"))
        #expect(backoff.verdict(on: failed(60), attempt: 13, luck: 1) == .dead(cause: "500"))
        var once = Backoff()
        once.attemptsMax = 1
        #expect(once.verdict(on: failed(), attempt: 1, luck: 0) == .dead(cause: "500"))
    }

    @Test func `a receiver's wish for a longer pause is met, within six hours`() {
        func pause(_ seconds: Int?) -> Mark.Verdict {
            backoff.verdict(on: failed(seconds), attempt: 1, luck: 1)
        }
        #expect(pause(nil) == .again(afterMilliseconds: 5_000, cause: "500"))
        #expect(pause(3) == .again(afterMilliseconds: 5_000, cause: "500"))
        #expect(pause(120) == .again(afterMilliseconds: 120_000, cause: "500"))
        for endless in [21_601, 1 << 40, Int.max] {
            #expect(pause(endless) == .again(afterMilliseconds: 21_600_000, cause: "500"))
        }
        #expect(pause(-1) == .again(afterMilliseconds: 5_000, cause: "500"))
    }

    @Test func `what is final is so at once`() {
        #expect(backoff.verdict(on: .delivered, attempt: 12, luck: 0) == .delivered)
        #expect(
            backoff.verdict(on: .rejected(cause: "400"), attempt: 1, luck: 0) == .dead(cause: "400")
        )
        #expect(
            backoff.verdict(on: .gone(cause: "410"), attempt: 1, luck: 0) == .canceled(cause: "410")
        )
    }

    @Test func `short pauses stay short`() {
        var quick = Backoff()
        quick.firstPauseMilliseconds = 1
        quick.pauseMillisecondsMax = 10
        #expect(
            (1...6).map { quick.pauseMilliseconds(after: $0, luck: 1) } == [1, 4, 10, 10, 10, 10])
    }

    @Test func `waiting for a server doubles up to its bound and begins anew after success`() {
        var pause = GrowingPause(firstMilliseconds: 100, millisecondsMax: 1_000)
        for longest in [100, 200, 400, 800, 1_000, 1_000] {
            #expect((longest / 2...longest).contains(pause.next()))
        }
        pause.reset()
        #expect((50...100).contains(pause.next()))
    }
}
