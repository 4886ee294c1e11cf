import CMariaDB

/// What MariaDB, the way to it, or this module has to say when a statement fails.
///
/// The description is for logs: a message may quote SQL, so none of it goes to a client.
public struct DatabaseError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the caller can do about an error.
    public enum Kind: Sendable, Equatable {
        /// Another transaction won: roll back and run the whole transaction again.
        case lostRace
        /// A unique key already holds this value.
        case duplicateKey
        /// The session is gone. Before COMMIT nothing happened; at COMMIT see
        /// ``CommitOutcomeUnknown``.
        case connectionLost
        /// The server is there and will not do it now: full, stopping, read-only.
        case unavailable
        /// The schema refused the data: a CHECK, a foreign key, a range, a missing value.
        case refused
        /// No connection of the pool became free in time.
        case busy
        /// Anything else, as a mistake in SQL or in decoding.
        case other
    }

    /// The number of the error in MariaDB's or libmariadb's list; 0 for an error of this module.
    public let code: UInt32
    /// The five characters of the standard's class of error.
    public let sqlState: String
    /// The text, for logs.
    public let message: String
    /// What the caller can do about it.
    public let kind: Kind

    /// An error as MariaDB or libmariadb numbers it.
    public init(code: UInt32, sqlState: String, message: String) {
        self.code = code
        self.sqlState = sqlState
        self.message = message
        self.kind = Kind(code: code)
    }

    /// An error that this module found.
    init(_ kind: Kind, _ message: String) {
        self.code = 0
        self.sqlState = "HY000"
        self.message = message
        self.kind = kind
    }

    /// The last error of a session.
    init(readingFrom session: UnsafeMutablePointer<MYSQL>) {
        self.init(
            code: mysql_errno(session), sqlState: String(cString: mysql_sqlstate(session)),
            message: String(cString: mysql_error(session)))
    }

    /// The last error of a prepared statement.
    init(readingFrom statement: UnsafeMutablePointer<MYSQL_STMT>) {
        self.init(
            code: mysql_stmt_errno(statement),
            sqlState: String(cString: mysql_stmt_sqlstate(statement)),
            message: String(cString: mysql_stmt_error(statement)))
    }

    /// For logs; never for clients. Without the values that MariaDB quotes in
    /// `Duplicate entry '…' for key` and `Incorrect … value: '…' for column`, which may be a person's.
    public var description: String {
        "MariaDB error \(code) (\(sqlState), \(kind)): \(message.withoutQuotedValue)"
    }

    /// Whether a statement waited in vain for a row that another transaction had locked: 1205, a
    /// lost race of which another attempt may come to the same end.
    public var isLockTimeout: Bool { code == 1205 }

    /// Whether the session must not be used again: it is gone, or the server wants it gone.
    var endsSession: Bool {
        switch kind {
        case .connectionLost, .unavailable: true
        case .lostRace, .duplicateKey, .refused, .busy, .other: false
        }
    }
}

extension String {
    /// A value may hold quotes itself, so it ends where the last name after it begins.
    fileprivate var withoutQuotedValue: String {
        replacing(#/(entry|value:?) '.*' for /#.dotMatchesNewlines()) { match in
            "\(match.output.1) '…' for "
        }
    }
}

extension DatabaseError.Kind {
    /// Sorts an error number. libmariadb has 2000–2999 and 5000–5999, the server has the rest.
    init(code: UInt32) {
        self =
            switch code {
            case 1213, 1205, 1020: .lostRace
            case 1062, 1586: .duplicateKey
            case 2000...2999, 5000...5999, 1158...1161, 1184, 1927: .connectionLost
            case 1021, 1037, 1038, 1040, 1041, 1047, 1053, 1129, 1135, 1203, 1226, 1290, 1317,
                1461, 1836, 1969:
                .unavailable
            case 1048, 1216, 1217, 1264, 1265, 1292, 1364, 1366, 1406, 1451, 1452, 1690, 3819, 4025:
                .refused
            default: .other
            }
    }
}

/// COMMIT was sent and no answer proved what became of it: the transaction may have happened.
///
/// The caller looks for a row that only this transaction wrote, on another connection.
public struct CommitOutcomeUnknown: Error, Sendable {
    /// The error that came instead of the answer.
    public let cause: DatabaseError

    /// Wraps what came instead of COMMIT's answer.
    public init(cause: DatabaseError) { self.cause = cause }
}
