extension DatabaseError {
    /// What the caller can do about an error.
    public enum Kind: Sendable, Equatable, CaseIterable {
        /// Another transaction won: roll back and run the whole transaction again.
        case lostRace
        /// A unique key already holds this value.
        case duplicateKey
        /// The session is gone. Before COMMIT nothing happened; at COMMIT see
        /// ``CommitOutcomeUnknown``.
        case connectionLost
        /// The server is there and this session may do nothing, or not this: its password, account,
        /// host or rights. Once that is put right, only a new session is sure to see it.
        case sessionUnfit
        /// The server is there and will not do it now: full, stopping, read-only, without a quorum.
        case unavailable
        /// It would take too long now: no connection of the pool became free in time, or the
        /// statement was stopped. The session goes on.
        case busy
        /// The schema refused the data: a CHECK, a foreign key, a range, a missing value.
        case refused
        /// Anything else, as a mistake in SQL or in decoding.
        case other

        /// Whether the session must not be used again: it is gone, or a new one may be better off.
        var endsSession: Bool {
            switch self {
            case .connectionLost, .sessionUnfit, .unavailable: true
            case .lostRace, .duplicateKey, .refused, .busy, .other: false
            }
        }

        /// Whether the error is a mistake of ours, or of the data, and no state of the server: the
        /// same statement would fail again tomorrow.
        public var isDefect: Bool {
            switch self {
            case .duplicateKey, .refused, .other: true
            case .lostRace, .connectionLost, .sessionUnfit, .unavailable, .busy: false
            }
        }

        /// Sorts an error number. libmariadb has 2000–2999 and 5000–5999, the server has the rest.
        init(code: UInt32) {
            self =
                switch code {
                case 2000...2999, 5000...5999: .connectionLost
                default: Self.ofServer[code] ?? .other
                }
        }
    }

    /// A number of the server's list, with its name there (`mysqld_error.h`).
    struct ServerError: Sendable {
        let code: UInt32
        let name: String

        fileprivate init(_ code: UInt32, _ name: String) {
            self.code = code
            self.name = name
        }
    }
}

extension DatabaseError.Kind {
    /// The server's errors that are of any kind but ``other``.
    static let serverErrors: [(kind: Self, errors: [DatabaseError.ServerError])] = [
        (
            .lostRace,
            [
                .init(1020, "ER_CHECKREAD"), .init(1205, "ER_LOCK_WAIT_TIMEOUT"),
                .init(1213, "ER_LOCK_DEADLOCK"),
                // The table was altered between two statements of the transaction, or again and
                // again while one was prepared.
                .init(1412, "ER_TABLE_DEF_CHANGED"), .init(1615, "ER_NEED_REPREPARE"),
            ]
        ),
        (.duplicateKey, [.init(1062, "ER_DUP_ENTRY"), .init(1586, "ER_DUP_ENTRY_WITH_KEY_NAME")]),
        (
            .connectionLost,
            [
                .init(1152, "ER_ABORTING_CONNECTION"), .init(1156, "ER_NET_PACKETS_OUT_OF_ORDER"),
                .init(1157, "ER_NET_UNCOMPRESS_ERROR"), .init(1158, "ER_NET_READ_ERROR"),
                .init(1159, "ER_NET_READ_INTERRUPTED"), .init(1160, "ER_NET_ERROR_ON_WRITE"),
                .init(1161, "ER_NET_WRITE_INTERRUPTED"),
                .init(1184, "ER_NEW_ABORTING_CONNECTION"), .init(1927, "ER_CONNECTION_KILLED"),
            ]
        ),
        (
            .sessionUnfit,
            [
                // Who it is.
                .init(1045, "ER_ACCESS_DENIED_ERROR"), .init(1130, "ER_HOST_NOT_PRIVILEGED"),
                .init(1251, "ER_NOT_SUPPORTED_AUTH_MODE"), .init(1524, "ER_PLUGIN_IS_NOT_LOADED"),
                .init(1698, "ER_ACCESS_DENIED_NO_PASSWORD_ERROR"),
                .init(1820, "ER_MUST_CHANGE_PASSWORD"),
                .init(1862, "ER_MUST_CHANGE_PASSWORD_LOGIN"),
                .init(1873, "ER_ACCESS_DENIED_CHANGE_USER_ERROR"),
                .init(4151, "ER_ACCOUNT_HAS_BEEN_LOCKED"),
                // What it may do.
                .init(1044, "ER_DBACCESS_DENIED_ERROR"), .init(1142, "ER_TABLEACCESS_DENIED_ERROR"),
                .init(1143, "ER_COLUMNACCESS_DENIED_ERROR"),
                .init(1227, "ER_SPECIFIC_ACCESS_DENIED_ERROR"),
                .init(1370, "ER_PROCACCESS_DENIED_ERROR"),
                // What it has: a database that was dropped and made again has to be chosen again.
                .init(1046, "ER_NO_DB_ERROR"), .init(1049, "ER_BAD_DB_ERROR"),
                .init(1243, "ER_UNKNOWN_STMT_HANDLER"),
            ]
        ),
        (
            .unavailable,
            [
                // Full.
                .init(1021, "ER_DISK_FULL"), .init(1037, "ER_OUTOFMEMORY"),
                .init(1038, "ER_OUT_OF_SORTMEMORY"), .init(1040, "ER_CON_COUNT_ERROR"),
                .init(1041, "ER_OUT_OF_RESOURCES"), .init(1114, "ER_RECORD_FILE_FULL"),
                .init(1129, "ER_HOST_IS_BLOCKED"), .init(1135, "ER_CANT_CREATE_THREAD"),
                .init(1203, "ER_TOO_MANY_USER_CONNECTIONS"), .init(1206, "ER_LOCK_TABLE_FULL"),
                .init(1226, "ER_USER_LIMIT_REACHED"),
                .init(1461, "ER_MAX_PREPARED_STMT_COUNT_REACHED"),
                .init(1637, "ER_TOO_MANY_CONCURRENT_TRXS"), .init(3019, "ER_INNODB_UNDO_LOG_FULL"),
                // Stopping; or a node of a cluster that has lost its peers, which says 1047 to every
                // statement and 1180 to a COMMIT.
                .init(1047, "ER_UNKNOWN_COM_ERROR"), .init(1053, "ER_SERVER_SHUTDOWN"),
                .init(1077, "ER_NORMAL_SHUTDOWN"), .init(1180, "ER_ERROR_DURING_COMMIT"),
                // Read-only, as an old primary is after a switch.
                .init(1036, "ER_OPEN_AS_READONLY"), .init(1207, "ER_READ_ONLY_TRANSACTION"),
                .init(1290, "ER_OPTION_PREVENTS_STATEMENT"),
                .init(1792, "ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION"),
                .init(1836, "ER_READ_ONLY_MODE"), .init(1874, "ER_INNODB_READ_ONLY"),
                // Its files are not as they should be.
                .init(1030, "ER_GET_ERRNO"), .init(1194, "ER_CRASHED_ON_USAGE"),
                .init(1712, "ER_INDEX_CORRUPT"), .init(1877, "ER_TABLE_CORRUPT"),
            ]
        ),
        (.busy, [.init(1317, "ER_QUERY_INTERRUPTED"), .init(1969, "ER_STATEMENT_TIMEOUT")]),
        (
            .refused,
            [
                .init(1048, "ER_BAD_NULL_ERROR"), .init(1216, "ER_NO_REFERENCED_ROW"),
                .init(1217, "ER_ROW_IS_REFERENCED"), .init(1264, "ER_WARN_DATA_OUT_OF_RANGE"),
                .init(1265, "WARN_DATA_TRUNCATED"), .init(1292, "ER_TRUNCATED_WRONG_VALUE"),
                .init(1364, "ER_NO_DEFAULT_FOR_FIELD"),
                .init(1366, "ER_TRUNCATED_WRONG_VALUE_FOR_FIELD"),
                .init(1406, "ER_DATA_TOO_LONG"), .init(1451, "ER_ROW_IS_REFERENCED_2"),
                .init(1452, "ER_NO_REFERENCED_ROW_2"), .init(1690, "ER_DATA_OUT_OF_RANGE"),
                .init(4025, "ER_CONSTRAINT_FAILED"),
            ]
        ),
    ]

    /// ``serverErrors`` by number.
    private static let ofServer: [UInt32: Self] = Dictionary(
        uniqueKeysWithValues: serverErrors.flatMap { kind, errors in
            errors.map { ($0.code, kind) }
        })
}
