import Glibc
import LogLines

/// What commands have to say, on standard output.
///
/// Every command writes through it, and nothing is kept back: when a call returns, all of it is with
/// the kernel, and with the disk's owner as far as closing a file asks for it.
enum Output {
    /// It could not be written: a full disk, a reader that has gone, a closed descriptor.
    struct Failed: Error, CustomStringConvertible {
        let cause: String

        var description: String { "the output could not be written: \(cause)" }
    }

    /// Writes lines for people. What would move a terminal's cursor, or the eye, is shown by its number.
    static func write(_ lines: [String]) throws(Failed) {
        try writeAll(lines.map { $0.printable + "\n" }.joined())
    }

    /// Writes a line for people, as ``write(_:)-([String])`` does.
    static func write(_ line: String) throws(Failed) { try write([line]) }

    /// Writes a JSON document and a line break.
    static func write(json document: String) throws(Failed) {
        try writeAll(document.printableJSON + "\n")
    }

    /// Writes a text of several lines for people, such as a help screen.
    static func write(page: String) throws(Failed) { try write(page.lines) }

    private static func writeAll(_ text: String) throws(Failed) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count)
            }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var interest = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                poll(&interest, 1, -1)
            } else if errno != EINTR {
                throw Failed(cause: reason)
            }
        }
        // Some file systems say only then that there is no room.
        let copy = dup(STDOUT_FILENO)
        guard copy >= 0, close(copy) == 0 else { throw Failed(cause: reason) }
    }

    private static var reason: String { String(cString: strerror(errno)) }

    /// Writes lines to standard error, as far as it can be written to.
    static func complain(_ lines: [String]) {
        var text = lines.map { $0.printable + "\n" }.joined()
        _ = text.withUTF8 { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

extension String {
    /// As it may be shown on a terminal, in one line: characters that are not to be seen, and would
    /// move the cursor or change the order of what is read, by their numbers.
    var printable: String {
        guard unicodeScalars.contains(where: \.isHidden) else { return self }
        return unicodeScalars.reduce(into: "") { text, scalar in
            if scalar.isHidden {
                text += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
    }

    /// Of a JSON document the same document, where such characters are escaped. They are inside of
    /// strings: between them JSON has white space only, which stays.
    var printableJSON: String {
        guard unicodeScalars.contains(where: \.isHidden) else { return self }
        return unicodeScalars.reduce(into: "") { text, scalar in
            if scalar.isHidden && !["\t", "\n", "\r"].contains(scalar) {
                for unit in UTF16.encode(scalar)! {
                    text += "\\u" + String(0x1_0000 + Int(unit), radix: 16).dropFirst()
                }
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
    }

    /// Its lines, without their ends.
    var lines: [String] {
        split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
}
