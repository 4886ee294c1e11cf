import CMariaDB

extension UnsafeMutablePointer<MYSQL> {
    /// What every session begins with, one round trip each.
    ///
    /// READ COMMITTED, because under REPEATABLE READ a retry inside a transaction reads its old
    /// snapshot. UTC and strict mode, because a session must not depend on how the server was
    /// configured. 10 s until the server ends a transaction whose client fell silent, and frees its
    /// locks.
    private static func initCommands(_ server: Server) -> [String] {
        [
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            """
            SET SESSION time_zone = '+00:00', idle_transaction_timeout = 10, \
            innodb_lock_wait_timeout = \(server.lockTimeoutSeconds), \
            max_statement_time = \(server.statementSecondsMax ?? 0), sql_mode = 'STRICT_ALL_TABLES,\
            ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION'
            """,
        ]
    }

    /// How a password may be proved: by a challenge's answer, from which it cannot be read. A server
    /// chooses the plugin, and a false one would choose one that sends the password itself
    /// (`mysql_clear_password`, `dialog`), or sealed with a key that it names (`sha256_password`,
    /// `caching_sha2_password`).
    private static let authentications = "mysql_native_password,client_ed25519"

    /// Sets the options that must be there before connecting.
    func apply(_ server: Server) {
        set(MYSQL_OPT_CONNECT_TIMEOUT, server.connectTimeoutSeconds)
        set(MYSQL_OPT_READ_TIMEOUT, server.readTimeoutSeconds)
        set(MYSQL_OPT_WRITE_TIMEOUT, server.writeTimeoutSeconds)
        set(MYSQL_OPT_LOCAL_INFILE, 0 as UInt32)
        set(MYSQL_OPT_RECONNECT, 0 as my_bool)
        mysql_options(self, MYSQL_SET_CHARSET_NAME, "utf8mb4")
        mysql_options(self, MARIADB_OPT_RESTRICTED_AUTH, Self.authentications)
        for command in Self.initCommands(server) {
            mysql_options(self, MYSQL_INIT_COMMAND, command)
        }
        switch server.address {
        case .socket: set(MYSQL_OPT_PROTOCOL, UInt32(MYSQL_PROTOCOL_SOCKET.rawValue))
        case .host: set(MYSQL_OPT_PROTOCOL, UInt32(MYSQL_PROTOCOL_TCP.rawValue))
        }
        if let authority = server.certificateAuthority {
            mysql_options(self, MYSQL_OPT_SSL_CA, authority)
            set(MYSQL_OPT_SSL_VERIFY_SERVER_CERT, 1 as my_bool)
            set(MYSQL_OPT_SSL_ENFORCE, 1 as my_bool)
        }
    }

    /// Opens the session; false leaves the reason in it. Multiple statements in one text are off,
    /// as they are unless asked for.
    func connect(to server: Server) -> Bool {
        let flags = UInt(CLIENT_FOUND_ROWS)
        return switch server.address {
        case .socket(let path):
            mysql_real_connect(
                self, nil, server.user, server.password, server.database, 0, path, flags) != nil
        case .host(let name, let port):
            mysql_real_connect(
                self, name, server.user, server.password, server.database, UInt32(port), nil,
                flags) != nil
        }
    }

    private func set<T: BitwiseCopyable>(_ option: mysql_option, _ value: T) {
        _ = withUnsafePointer(to: value) { mysql_options(self, option, $0) }
    }
}
