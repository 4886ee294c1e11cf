import ArgumentParser
import FastCGI
import Glibc
import MariaDB
import Store

// What a command tells a shell, or systemd: the numbers of <sysexits.h>, where each has one meaning.

extension ExitCode {
    /// The table of `--help`.
    static let help = Screen.table(
        "EXIT STATUS:",
        [
            ("0", "done; a process that works until SIGTERM was stopped in order"),
            ("1", "audit: the books are wrong; webhooks test: the endpoint has not taken it"),
            ("\(EX_USAGE)", "the command is not written as its --help says"),
            ("\(EX_DATAERR)", "refused: the shop as it is does not allow it"),
            ("\(EX_NOINPUT)", "there is no such event, or no such endpoint"),
            ("\(EX_UNAVAILABLE)", "MariaDB did not answer in time, or not usefully"),
            ("\(EX_SOFTWARE)", "a defect of the program, or of the database's tables"),
            ("\(EX_IOERR)", "the output could not be written"),
            ("\(EX_TEMPFAIL)", "somebody else is at it: try again later"),
            ("\(EX_CONFIG)", "a setting is missing or wrong, or the schema is older than this"),
        ])

    /// - Parameter error: what a command has ended with.
    init(of error: any Error) {
        let status =
            switch error {
            case is SettingError, is StartError, is SocketError: EX_CONFIG
            case is NotThere: EX_NOINPUT
            case is Refused, is WebhookEndpoints.TooMany, is WebhookEndpoints.Registered: EX_DATAERR
            case is Occupied: EX_TEMPFAIL
            case is Output.Failed: EX_IOERR
            case is CommitOutcomeUnknown: EX_UNAVAILABLE
            case let error as DatabaseError: Self.status(of: error)
            default: EX_SOFTWARE
            }
        self.init(status)
    }

    private static func status(of error: DatabaseError) -> Int32 {
        switch error.kind {
        case .sessionUnfit: EX_CONFIG
        case .connectionLost, .unavailable, .busy, .lostRace: EX_UNAVAILABLE
        case .duplicateKey, .refused, .other: EX_SOFTWARE
        }
    }
}

/// There is nothing of the name or number that a command was asked about.
struct NotThere: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// The shop as it is does not allow what a command was asked for.
struct Refused: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Somebody else does the same.
struct Occupied: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
