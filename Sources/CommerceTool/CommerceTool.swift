import ArgumentParser
import Glibc

/// The order and payment backend of an online shop.
struct CommerceTool: ParsableCommand {
    static let version = "0.5.0"

    static let configuration = CommandConfiguration(
        commandName: "commerce",
        abstract: "The order and payment backend of an online shop.",
        discussion: ExitCode.help,
        version: version,
        subcommands: [
            Serve.self, Work.self, Notify.self, AuditCommand.self, EventsCommand.self,
            Webhooks.self, Resume.self, Hold.self,
        ])
}

/// The process: from the arguments to the exit status.
@main
enum Program {
    static func main() {
        // The reader of the output may have gone: that is an error of `write`, no silent end.
        signal(SIGPIPE, SIG_IGN)
        occupyStandardDescriptors()
        // The parser of arguments would end on a screen that is too narrow.
        setenv("COLUMNS", String(Screen.columns), 1)
        do {
            var command = try CommerceTool.parseAsRoot()
            try command.run()
        } catch let status as ExitCode {
            exit(status.rawValue)  // All was said.
        } catch {
            exit(end(with: error))
        }
    }

    /// A standard descriptor that is closed would be given to the first file or connection that is
    /// opened, and what is printed would go to MariaDB. It stays one that can be neither read nor
    /// written; and the output one that takes nothing either if it is opened anew, as `/dev/stdout`.
    private static func occupyStandardDescriptors() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            let path = descriptor == STDOUT_FILENO ? "/dev/full" : "/dev/null"
            // The lowest that is free, and so this one.
            _ = open(path, descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// Says what the parser of arguments has to say: help, the version, or what was wrong.
    private static func end(with error: any Error) -> Int32 {
        let status = CommerceTool.exitCode(for: error)
        let text = CommerceTool.fullMessage(for: error)
        guard status == .success else {
            Output.complain(text.lines)
            return status.rawValue
        }
        do throws(Output.Failed) {
            try Output.write(page: text)
            return status.rawValue
        } catch {
            Output.complain(["commerce: \(error)"])
            return ExitCode(of: error).rawValue
        }
    }
}
