/// Where a MariaDB server is, as whom to log in, and how long to wait for it.
public struct Server: Sendable {
    /// How the server is reached.
    public enum Address: Sendable, Equatable {
        /// A Unix socket on this machine.
        case socket(path: String)
        /// A TCP port. With the name `localhost` this is TCP too, not the Unix socket.
        case host(name: String, port: UInt16)
    }

    /// How the server is reached.
    public var address: Address
    /// The database user.
    public var user: String
    /// The user's password; empty for a user who is authenticated by the Unix socket.
    public var password: String
    /// The database that unqualified table names mean; nil for none.
    public var database: String?
    /// The file of the authority that signed the server's certificate. When given, the connection
    /// is encrypted and the certificate verified, or there is no connection.
    public var certificateAuthority: String?

    /// Seconds until connecting is given up. A local server answers in milliseconds, and libmariadb
    /// on its own would wait for ever.
    public var connectTimeoutSeconds: UInt32 = 2
    /// Seconds until a statement gives up waiting for a row lock: a thousand times what a
    /// transaction of ours takes. Whoever holds it for longer does not do so for us.
    public var lockTimeoutSeconds: UInt32 = 1
    /// Seconds until an answer is given up: above the wait for a row lock, below the patience of
    /// nginx.
    public var readTimeoutSeconds: UInt32 = 5
    /// Seconds until the server stops a statement, which costs an error of kind `busy` and leaves the
    /// session as it is; nil: never. Below ``readTimeoutSeconds``, after which the session is lost.
    public var statementSecondsMax: UInt32?
    /// Seconds until sending a statement is given up.
    public var writeTimeoutSeconds: UInt32 = 5

    /// Describes a server; nothing is opened yet.
    public init(
        address: Address, user: String, password: String, database: String?,
        certificateAuthority: String? = nil
    ) {
        self.address = address
        self.user = user
        self.password = password
        self.database = database
        self.certificateAuthority = certificateAuthority
    }
}
