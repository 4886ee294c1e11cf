import ShopParts

/// Something that goes wrong, for a while.
package struct Fault: Sendable {
    /// What `--faults` chooses from.
    package enum Kind: String, CaseIterable, Sendable {
        /// kill -9, of any process; a supervisor starts it again.
        case kill
        /// SIGSTOP and later SIGCONT, of any process.
        case stop
        /// A proper restart of any process.
        case restart
        /// The proxy forwards a COMMIT and drops its answer.
        case loseAnswer = "lose-answer"
        /// The proxy drops a COMMIT.
        case loseCommit = "lose-commit"
        /// MariaDB or memcached answer late.
        case delay
        /// Their connections break, and none can be made for a while.
        case cut
        /// They take connections and say nothing.
        case hang
        /// memcached forgets everything.
        case flush
        /// The receiver of webhooks answers 500 or 429, hangs, or breaks connections.
        case mood
        /// Many clients at the same moment, and a slow MariaDB: full queue, exhausted pool.
        case crowd
        /// Many connections that say nothing: no descriptors left.
        case idle
        /// The first migration is killed half-way and run again.
        case migration
    }

    let kind: Kind
    /// A post's name, or which proxy, or a mood.
    let target: String
    /// After the fault before it on its track has passed.
    let pauseMilliseconds: Int
    let lengthMilliseconds: Int
    /// Unlike that of all other faults of a run.
    let number: Int
}

/// The faults of a run, decided by the seed alone.
///
/// Several tracks, each one fault after another, so that faults coincide.
struct FaultPlan: Sendable {
    static let tracks = 2
    /// How often each kind comes in comparison.
    private static let weights: [(Fault.Kind, Int)] = [
        (.kill, 7), (.stop, 5), (.restart, 3), (.loseAnswer, 5), (.loseCommit, 4), (.delay, 3),
        (.cut, 3), (.hang, 2), (.flush, 2), (.mood, 3), (.crowd, 4), (.idle, 2),
    ]
    static let posts =
        ShopUnderFaults.responders + ShopUnderFaults.workers
        + ["nginx", "mariadbd", "memcached", "receiver"]

    private var dice: Dice
    private let kinds: [Fault.Kind]
    private let track: Int
    private var count = 0

    init(seed: UInt64, track: Int, kinds: Set<Fault.Kind>) {
        dice = Dice(seed: seed, "faults \(track)")
        self.track = track
        self.kinds = Self.weights.flatMap { kind, weight in
            kinds.contains(kind) ? Array(repeating: kind, count: weight) : []
        }
    }

    /// Nil where no kind comes into question.
    mutating func next() -> Fault? {
        guard !kinds.isEmpty else { return nil }
        count += 1
        let kind = dice.pick(kinds)
        let target =
            switch kind {
            case .kill, .stop, .restart: dice.pick(Self.posts)
            case .delay, .cut, .hang: dice.pick(["mariadbd", "memcached"])
            case .mood: dice.pick(["errors", "hangs", "resets", "tooMany"])
            case .idle: dice.pick(ShopUnderFaults.responders)
            case .loseAnswer, .loseCommit, .flush, .crowd, .migration: "-"
            }
        return Fault(
            kind: kind, target: target, pauseMilliseconds: dice.number(300...3_500),
            lengthMilliseconds: dice.number(200...2_500), number: track * 10_000 + count)
    }
}
