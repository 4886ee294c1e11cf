import Faults
import Testing

/// A short form of `script/faults`: everything that may break does, and nothing is lost.
@Suite struct FaultRuns {
    /// One for each rule.
    private static let sabotage = """
        UPDATE stock SET quantity = quantity - 1 WHERE product_id = 103;
        UPDATE users SET point = point + 1 WHERE id = 7;
        DELETE FROM idempotency_key LIMIT 1;
        DELETE FROM payment_history WHERE pay_method = 'POINT' LIMIT 1;
        UPDATE delivery SET state = 'DEAD' LIMIT 1
        """

    @Test func `a shop amid faults loses nothing, and whatever were lost would be noticed`() throws
    {
        let scratch = try ScratchFolder()
        let run = FaultRun(
            seed: 7, seconds: 10, kinds: Set(Fault.Kind.allCases), folder: scratch.path,
            receiverCommand: [TestRun.beside("commerce-faults"), "receive"])
        let outcome = run.run(sabotage: Self.sabotage) { false }
        let result = try #require(outcome)
        #expect(result.wrong == [])
        #expect(result.noticed == ["I1", "I2", "I3", "I4", "I5", "audit"])
        print(result.line)
    }
}
