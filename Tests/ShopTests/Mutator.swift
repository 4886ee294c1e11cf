import SeededRandom

/// Breaks messages a little: most of what comes out begins well and then is not what it should be.
struct Mutator {
    private var random: SplitMix64
    private let samples: [[UInt8]]
    private let tokens: [[UInt8]]

    /// - Parameters:
    ///   - samples: real messages.
    ///   - tokens: what a parser may trip over.
    init(seed: UInt64, samples: [[UInt8]], tokens: [[UInt8]]) {
        random = SplitMix64(seed: seed)
        self.samples = samples
        self.tokens = tokens
    }

    private static let mutationsMax = 4
    private static let pieceMax = 40

    /// The next message.
    mutating func next() -> [UInt8] {
        var bytes = sample()
        for _ in 1...Int.random(in: 1...Self.mutationsMax, using: &random) { mutate(&bytes) }
        return bytes
    }

    private mutating func sample() -> [UInt8] { samples.randomElement(using: &random) ?? [] }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        let place = Int.random(in: 0...bytes.count, using: &random)
        let end = min(bytes.count, place + Int.random(in: 1...Self.pieceMax, using: &random))
        switch Int.random(in: 0..<8, using: &random) {
        case 0 where place < bytes.count:
            bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
        case 1 where place < bytes.count: bytes[place] = .random(in: 0...255, using: &random)
        case 2: bytes.removeSubrange(place..<end)
        case 3: bytes.insert(contentsOf: Array(bytes[place..<end]), at: place)
        case 4: bytes.removeSubrange(place...)
        case 5: bytes.replaceSubrange(place..., with: sample().suffix(Self.pieceMax * 4))
        default: bytes.insert(contentsOf: tokens.randomElement(using: &random) ?? [], at: place)
        }
    }
}
