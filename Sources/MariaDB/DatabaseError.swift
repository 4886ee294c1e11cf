import CMariaDB

/// What MariaDB, the way to it, or this module has to say when a statement fails.
///
/// The description is for logs: a message may quote SQL, so none of it goes to a client.
public struct DatabaseError: Error, Sendable, Equatable, CustomStringConvertible {
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
}

extension String {
    /// A value may hold quotes itself, so it ends where the last name after it begins.
    fileprivate var withoutQuotedValue: String {
        replacing(#/(entry|value:?) '.*' for /#.dotMatchesNewlines()) { match in
            "\(match.output.1) '…' for "
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
