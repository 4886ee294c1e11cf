import Glibc
import MariaDB
import Memcached

/// Where the shop's servers are, from the environment variables of `commerce serve`.
struct Servers {
    let database: Server
    let memcached: Memcached.Address

    /// - Throws: ``BenchError`` for the first setting that is missing or wrong.
    init() throws(BenchError) {
        database = Server(
            address: try Self.databaseAddress(),
            user: try Self.required("COMMERCE_DATABASE_USER"),
            password: Self.text("COMMERCE_DATABASE_PASSWORD") ?? "",
            database: try Self.required("COMMERCE_DATABASE_NAME"),
            certificateAuthority: Self.text("COMMERCE_DATABASE_CA"))
        let cache = try Self.required("COMMERCE_MEMCACHED")
        if cache.hasPrefix("/") {
            memcached = .socket(path: cache)
        } else {
            memcached = try Self.host(cache, setting: "COMMERCE_MEMCACHED")
        }
    }

    private static func databaseAddress() throws(BenchError) -> Server.Address {
        if let path = text("COMMERCE_DATABASE_SOCKET") { return .socket(path: path) }
        let host = try required("COMMERCE_DATABASE_HOST")
        guard let port = UInt16(text("COMMERCE_DATABASE_PORT") ?? "3306") else {
            throw BenchError("COMMERCE_DATABASE_PORT is not a port")
        }
        return .host(name: host, port: port)
    }

    private static func host(
        _ text: String, setting: String
    ) throws(BenchError) -> Memcached.Address {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let port = UInt16(parts[1]) else {
            throw BenchError("\(setting) is neither an absolute path nor host:port")
        }
        return .host(name: String(parts[0]), port: port)
    }

    private static func text(_ name: String) -> String? {
        guard let text = getenv(name).map({ String(cString: $0) }), !text.isEmpty else {
            return nil
        }
        return text
    }

    private static func required(_ name: String) throws(BenchError) -> String {
        guard let text = text(name) else {
            throw BenchError("\(name) is missing; script/bench locks sets it")
        }
        return text
    }
}

/// Why a measurement cannot be had, in one line.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
