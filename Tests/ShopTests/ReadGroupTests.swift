import Dispatch
import Glibc
import Testing

@testable import Store

/// Reads that are made together.
@Suite struct `Read groups` {
    private struct Broken: Error {}

    @Test func `everybody is told the value of their own key, once, with fewer questions`() throws {
        let questions = Tally()
        let group = ReadGroup<Int, Int> { keys in
            questions.add()
            #expect(Set(keys).count == keys.count)
            usleep(200)
            return Dictionary(uniqueKeysWithValues: keys.map { ($0, $0 * 10) })
        }
        let told = Tally()
        let threads = (0..<16).map { thread in
            TestThread {
                for number in 0..<200 {
                    let key = (thread + number) % 40
                    group.read(key) { result in
                        #expect((try? result.get()) == key * 10)
                        told.add()
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(eventually { told.count == 3_200 ? true : nil } == true)
        #expect(questions.count < 3_200)
    }

    @Test func `what is told was read after it was asked for`() throws {
        let version = Tally()
        let group = ReadGroup<Int, Int> { keys in
            let now = version.count
            usleep(100)
            return Dictionary(uniqueKeysWithValues: keys.map { ($0, now) })
        }
        let threads = (0..<8).map { _ in
            TestThread {
                for _ in 0..<300 {
                    let before = version.add() + 1
                    group.read(0) { result in #expect((try? result.get()) ?? 0 >= before) }
                }
            }
        }
        for thread in threads { thread.join() }
    }

    @Test func `who finds nothing, and goes on to something slow, holds nobody up`() throws {
        let group = ReadGroup<Int, Int> { keys in
            Dictionary(uniqueKeysWithValues: keys.filter { $0 != 0 }.map { ($0, $0) })
        }
        let othersAreTold = DispatchSemaphore(value: 0)
        let outcome = Shared(DispatchTimeoutResult?.none)
        // Whichever of the three threads is told of the missing value, two remain.
        let threads = (0..<3).map { thread in
            TestThread {
                if thread == 0 {
                    group.read(0) { result in
                        #expect((try? result.get()) == .some(nil))
                        let told = othersAreTold.wait(timeout: .now() + 30)
                        outcome.withLock { $0 = told }
                    }
                }
                while outcome.withLock({ $0 }) == nil {
                    group.read(1) { _ in othersAreTold.signal() }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(outcome.withLock { $0 } == .success)
    }

    @Test func `a failure is everybody's who asked then, and nobody's later`() throws {
        let isBroken = Shared(true)
        let group = ReadGroup<Int, Int> { keys in
            if isBroken.withLock({ $0 }) { throw Broken() }
            return Dictionary(uniqueKeysWithValues: keys.map { ($0, $0) })
        }
        group.read(1) { result in #expect(throws: Broken.self) { try result.get() } }
        isBroken.withLock { $0 = false }
        group.read(1) { result in #expect((try? result.get()) == 1) }
    }
}
