import Faults
import Testing

/// A short form of `script/faults`: everything that may break does, and nothing is lost.
@Suite struct FaultRuns {
    @Test func `a shop amid faults loses nothing and does nothing twice`() throws {
        let scratch = try ScratchFolder()
        let run = FaultRun(
            seed: 7, seconds: 10, kinds: Set(Fault.Kind.allCases), folder: scratch.path,
            receiverCommand: [TestRun.beside("commerce-faults"), "receive"])
        let isInterrupted: @Sendable () -> Bool = { false }
        let outcome = run.run(isInterrupted: isInterrupted)
        let result = try #require(outcome)
        #expect(result.wrong == [])
        print(result.line)
    }
}
