/// Random numbers that a seed decides, the same on every machine (SplitMix64).
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    /// - Parameter stream: dice of one seed and different streams fall independently.
    init(seed: UInt64, _ stream: String) {
        state = stream.utf8.reduce(seed ^ 0xCBF2_9CE4_8422_2325) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    mutating func happens(percent: Int) -> Bool { number(1...100) <= percent }

    mutating func pick<T>(_ values: [T]) -> T { values[number(0...(values.count - 1))] }
}
