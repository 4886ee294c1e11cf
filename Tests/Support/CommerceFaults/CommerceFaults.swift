import ArgumentParser
import Faults
import FoundationEssentials
import Glibc
import ShopParts
import Synchronization
import Threads

/// Proves that a shop loses nothing whatever breaks beneath it. Not shipped.
@main
struct CommerceFaults: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commerce-faults",
        abstract: "Run whole shops amid faults, and hold what is left against what was told.",
        subcommands: [Run.self, Restart.self, Memcached.self, Receive.self],
        defaultSubcommand: Run.self)

    /// Runs the receiver of webhooks, with the arguments that a shop adds.
    static let receiverCommand = [CommandLine.arguments[0], "receive"]

    /// Seeded runs.
    struct Run: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Seeded runs, a line of result each.",
            discussion: """
                The seed decides what each client asks for and which faults come in which order. \
                When exactly they meet is the machine's to say, and is not replayed.
                """)

        @Option(help: "Of the first run; later ones count up. Without it a new one.")
        var seed: UInt64?

        @Option(help: "How long each storm lasts.")
        var seconds: Double = 120

        @Option(help: "How many runs.")
        var runs = 1

        @Option(help: "How many of them at the same time, each in a shop of its own.")
        var parallel = 1

        @Option(help: "The kinds of fault, parted by commas: \(FaultNames.all)")
        var faults = FaultNames.all

        @Flag(help: "Leave the folder of a green run, too.")
        var keep = false

        @Option(help: "Where the shops' folders are made. A short path.")
        var folder: String

        func validate() throws {
            guard runs > 0, (1...16).contains(parallel), seconds > 0 else {
                throw ValidationError("a number is out of range")
            }
            _ = try FaultNames.kinds(of: faults)
        }

        func run() throws {
            let signals = StopSignals()
            raiseDescriptorLimit()
            let first = seed ?? UInt64.random(in: 1...999_999)
            let kinds = try FaultNames.kinds(of: faults)
            let next = Tally()
            let broken = Tally()
            print("seed \(first)")
            let runners = (0..<min(parallel, runs)).map { _ in
                TestThread {
                    while !signals.haveCome {
                        let number = next.add()
                        if number >= runs { break }
                        if !runOnce(seed: first + UInt64(number), kinds, signals) { broken.add() }
                    }
                }
            }
            TestThread.detached { signals.wait {} }
            for runner in runners { runner.join() }
            if signals.haveCome { throw ExitCode(130) }
            if broken.count > 0 { throw ExitCode.failure }
        }

        /// - Returns: whether nothing is wrong.
        private func runOnce(
            seed: UInt64, _ kinds: Set<Fault.Kind>, _ signals: StopSignals
        ) -> Bool {
            let place = "\(folder)/\(seed)"
            try? FileManager.default.removeItem(atPath: place)
            let run = FaultRun(
                seed: seed, seconds: seconds, kinds: kinds, folder: place,
                receiverCommand: CommerceFaults.receiverCommand)
            let result = run.run { signals.haveCome }
            if let result {
                for line in result.wrong.prefix(20) { print(line) }
                print(result.line)
                fflush(nil)  // Also into a pipe or a file, line by line.
            }
            let isGreen = result?.wrong.isEmpty ?? true
            if isGreen && !keep { try? FileManager.default.removeItem(atPath: place) }
            return isGreen
        }

        /// A connection through a proxy is two.
        private func raiseDescriptorLimit() {
            var limit = rlimit()
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
            guard getrlimit(resource, &limit) == 0 else { return }
            limit.rlim_cur = min(limit.rlim_max, 65_536)
            setrlimit(resource, &limit)
        }
    }

    /// How soon orders go on.
    struct Restart: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Kill MariaDB, and measure how soon after its restart an order is confirmed.")

        /// Of the mean.
        private static let secondsMax = 2.0

        @Option(help: "How often.")
        var restarts = 10

        @Option(help: "Where the shop's folder is made. A short path.")
        var folder: String

        func run() throws {
            try Measurement.run(in: "\(folder)/restart") { place in
                let figure = try RestartFigure(
                    restarts: restarts, folder: place,
                    receiverCommand: CommerceFaults.receiverCommand)
                let all = figure.seconds.map { Measurement.text($0) }.joined(separator: " ")
                print("\(restarts) restarts: mean \(Measurement.text(figure.mean)) s (\(all))")
                return figure.mean < Self.secondsMax
            }
        }
    }

    /// What a memcached that hangs costs.
    struct Memcached: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Measure orders while memcached is stopped and while it is not, in turn.")

        private static let ratioMin = 0.8
        private static let millisecondsMax = 250.0

        @Option(help: "How often each is measured.")
        var rounds = 8

        @Option(help: "Where the shop's folder is made. A short path.")
        var folder: String

        func run() throws {
            try Measurement.run(in: "\(folder)/memcached") { place in
                let figure = try MemcachedFigure(
                    rounds: rounds, folder: place, receiverCommand: CommerceFaults.receiverCommand)
                let pairs = zip(figure.well, figure.hanging).map { "\(Int($0)) \(Int($1))" }
                print(
                    """
                    ratio \(Measurement.text(figure.ratio)), p99 \(Int(figure.hangingP99)) ms \
                    (\(Int(figure.wellP99)) ms before), \(figure.failed) failed; orders/s of each \
                    round, memcached well and stopped: \(pairs.joined(separator: ", "))
                    """)
                return figure.ratio >= Self.ratioMin && figure.failed == 0
                    && figure.hangingP99 < Self.millisecondsMax
            }
        }
    }

    /// The receiver of webhooks, as a run starts it.
    struct Receive: ParsableCommand {
        static let configuration = CommandConfiguration(shouldDisplay: false)

        @Argument var port: UInt16
        @Argument var folder: String
        @Argument var secret: String

        func run() throws { try ReceiverProcess.run(port: port, folder: folder, secret: secret) }
    }
}

/// What `--faults` takes.
enum FaultNames {
    static var all: String { Fault.Kind.allCases.map(\.rawValue).joined(separator: ",") }

    static func kinds(of text: String) throws -> Set<Fault.Kind> {
        var kinds: Set<Fault.Kind> = []
        for name in text.split(separator: ",") {
            guard let kind = Fault.Kind(rawValue: String(name)) else {
                throw ValidationError("there is no fault '\(name)'")
            }
            kinds.insert(kind)
        }
        return kinds
    }
}

/// A measurement in a folder of its own, which goes afterwards.
enum Measurement {
    /// - Parameter measure: says whether the figure is as it should be.
    static func run(in place: String, _ measure: (String) throws -> Bool) throws {
        let signals = StopSignals()
        // A shop ends with its runner, so there is nothing to tidy up but files.
        TestThread.detached {
            signals.wait {}
            exit(130)
        }
        try? FileManager.default.removeItem(atPath: place)
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        let isGood = try measure(place)
        try? FileManager.default.removeItem(atPath: place)
        if !isGood { throw ExitCode.failure }
    }

    static func text(_ number: Double) -> String {
        let hundredths = Int((number * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
