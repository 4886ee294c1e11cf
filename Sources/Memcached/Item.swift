/// What is to be stored under a key.
struct Item {
    /// Bytes of a value: memcached's limit of 1 MiB is for key, header and value together.
    static let valueBytesMax = 1_024 * 1_024 - 1_024
    /// Seconds of an expiry: memcached takes more for a date.
    static let expirySecondsMax = 30 * 24 * 60 * 60

    /// Stored in the place of an entry, it makes that an entry no more.
    static let expired = Item([], flags: 0, expiry: -1)

    let value: [UInt8]
    let flags: UInt32
    /// As memcached has it: seconds; 0 for no end, and -1 for one that has passed.
    let expiry: Int

    init(_ value: [UInt8], flags: UInt32, expirySeconds: Int) {
        precondition((0...Self.expirySecondsMax).contains(expirySeconds))
        self.init(value, flags: flags, expiry: expirySeconds)
    }

    private init(_ value: [UInt8], flags: UInt32, expiry: Int) {
        self.value = value
        self.flags = flags
        self.expiry = expiry
    }

    var fits: Bool { value.count <= Self.valueBytesMax }
}
