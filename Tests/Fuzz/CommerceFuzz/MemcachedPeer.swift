@testable import Memcached

/// What memcached answers to a client.
enum MemcachedPeer {
    private static let peer = AnsweringPeer()

    /// Has one command answered with all bytes but the first, which chooses it.
    static func answer(_ bytes: [UInt8]) {
        guard let choice = bytes.first else { return }
        peer.answering(Array(bytes.dropFirst())) { descriptor in
            let connection = Connection(
                on: Socket(taking: descriptor), generation: 0)
            do throws(Unavailable) {
                try ask(connection, choice)
                // The answer was whole, so nothing is left of it.
                try ask(connection, choice)
                preconditionFailure("an answer to two commands")
            } catch {
                precondition(!"\(error)".isEmpty)
            }
        }
    }

    private static func ask(
        _ connection: Connection, _ choice: UInt8
    ) throws(Unavailable) {
        let keys = [try Key("key"), try Key("b"), try Key("key")]
        let item = Item([1], flags: 0, expirySeconds: 1)
        switch choice % 5 {
        case 0:
            var places: [Int] = []
            try connection.lookUp(keys) { place, entry in
                precondition(entry.value.count <= Item.valueBytesMax && entry.cas != 0)
                places.append(place)
            }
            precondition(places == places.sorted() && Set(places).count == places.count)
            precondition(places.allSatisfy(keys.indices.contains))
        case 1: _ = try connection.add(keys[0], item)
        case 2: try connection.set(keys[0], item)
        case 3: _ = try connection.cas(keys[0], item, token: 7)
        default: _ = try connection.delete(keys[0])
        }
    }
}
