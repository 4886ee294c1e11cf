import Glibc
import Threads

/// What a path leads to, opened to take lines at its end. Releasing it closes it.
///
/// A file takes lines all or none, and is locked (`flock`) meanwhile. Everything else that can be
/// written to takes them one after the other: a pipe, a terminal, a socket, `/dev/null`.
struct LineFile: ~Copyable {
    /// Others hold the lock for the time of a batch, which is milliseconds.
    private static let lockMilliseconds = 2_000
    /// For a reader to make room for a batch of lines.
    private static let roomMilliseconds = 2_000
    /// A file is replaced now and then, and not at every look.
    private static let opensMax = 5
    private static let newline = UInt8(ascii: "\n")

    private let descriptor: Int32
    private let isRegular: Bool
    private let isSocket: Bool

    /// Opens it, or makes the file if there is nothing, and waits for its lock.
    ///
    /// - Throws: also for a file that was deleted and is only reached through `/dev/stdout` or the like:
    ///   what goes there nobody will ever read.
    init(at path: String) throws(FileError) {
        for _ in 0..<Self.opensMax {
            let file = try LineFile(opening: path)
            guard file.isRegular else {
                self = file
                return
            }
            try file.lock()
            if file.isStill(at: path) {
                self = file
                return
            }
        }
        throw FileError("the file is deleted, or replaced again and again")
    }

    private init(opening path: String) throws(FileError) {
        var status = stat()
        // Only of a file the end is read. And a pipe that is opened for both needs no reader, so what
        // is written to it would be gone.
        let isFile = stat(path, &status) != 0 || status.st_mode.isOfKind(S_IFREG)
        let flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
        var descriptor = open(path, flags | (isFile ? O_RDWR : O_WRONLY), 0o600)
        if descriptor < 0 { descriptor = try Self.copy(of: path, status.st_mode) }
        guard fstat(descriptor, &status) == 0 else {
            close(descriptor)  // A failed init never runs deinit.
            throw FileError(of: "fstat")
        }
        let mode = status.st_mode
        guard
            mode.isOfKind(S_IFREG) || mode.isOfKind(S_IFSOCK) || mode.isOfKind(S_IFCHR)
                || mode.isOfKind(S_IFIFO) && !isFile
        else {
            close(descriptor)
            throw FileError("nothing that takes lines")
        }
        self.descriptor = descriptor
        isRegular = mode.isOfKind(S_IFREG)
        isSocket = mode.isOfKind(S_IFSOCK)
    }

    deinit { close(descriptor) }

    /// A descriptor of ours can be written to where it cannot be opened by its name: a socket, and
    /// what belongs to the user who has started the process.
    private static func copy(of path: String, _ mode: mode_t) throws(FileError) -> Int32 {
        let error = (code: errno, FileError(of: "open"))
        if error.code == ENXIO && mode.isOfKind(S_IFIFO) {
            throw FileError("the pipe has no reader")
        }
        guard error.code == ENXIO || error.code == EACCES, !mode.isOfKind(S_IFREG),
            let number = number(of: path)
        else { throw error.1 }
        let copy = fcntl(number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
        guard copy >= 0 else { throw FileError(of: "dup") }
        return copy
    }

    private static func number(of path: String) -> Int32? {
        switch path {
        case "/dev/stdout": return STDOUT_FILENO
        case "/dev/stderr": return STDERR_FILENO
        default:
            let folder = ["/dev/fd/", "/proc/self/fd/"].first(where: path.hasPrefix)
            return folder.flatMap { Int32(path.dropFirst($0.count)) }
        }
    }

    private func lock() throws(FileError) {
        for _ in 0..<Self.lockMilliseconds {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
            guard errno == EWOULDBLOCK || errno == EINTR else { break }
            usleep(1_000)
        }
        throw FileError(of: "flock")
    }

    /// Whether nobody has deleted or replaced the file since it was opened.
    private borrowing func isStill(at path: String) -> Bool {
        var (ours, there) = (stat(), stat())
        return fstat(descriptor, &ours) == 0 && stat(path, &there) == 0 && ours.st_nlink > 0
            && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino
    }

    // MARK: - Lines

    /// How many lines were taken, and what became of the next.
    struct Outcome {
        var taken: Int
        var error: FileError?
        /// Whether there is a part of the next line.
        var isTorn: Bool
    }

    /// - Parameters:
    ///   - lines: without their ends.
    ///   - isTorn: whether there is a part of a line, as the last outcome said. Of a file its end says so.
    borrowing func append(_ lines: [[UInt8]], isTorn: Bool) -> Outcome {
        let lines = lines.map { $0 + [Self.newline] }
        guard isRegular else { return appendEach(lines, isTorn) }
        do throws(FileError) {
            try appendAll(lines)
            return Outcome(taken: lines.count, error: nil, isTorn: false)
        } catch {
            return Outcome(taken: 0, error: error, isTorn: false)
        }
    }

    /// All lines are on the disk, or none is in the file.
    private borrowing func appendAll(_ lines: [[UInt8]]) throws(FileError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(of: "fstat") }
        let size = status.st_size
        do throws(FileError) {
            let start = try endsWithinLine(size) ? [Self.newline] : []
            var rest = (start + lines.joined())[...]
            while !rest.isEmpty { rest = rest.dropFirst(try write(rest) ?? 0) }
            guard fdatasync(descriptor) == 0 else { throw FileError(of: "fdatasync") }
        } catch {
            // Somebody else may have emptied it meanwhile: a rotation that copies and truncates.
            if fstat(descriptor, &status) == 0 && status.st_size > size {
                ftruncate(descriptor, size)
            }
            throw error
        }
    }

    /// Whether a process was killed amid a line, which would swallow the next.
    private borrowing func endsWithinLine(_ size: off_t) throws(FileError) -> Bool {
        guard size > 0 else { return false }
        var last = Self.newline
        guard pread(descriptor, &last, 1, size - 1) == 1 else { throw FileError(of: "pread") }
        return last != Self.newline
    }

    private borrowing func appendEach(_ lines: [[UInt8]], _ isTorn: Bool) -> Outcome {
        let deadline = MonotonicTime.now.advanced(byMilliseconds: Self.roomMilliseconds)
        for (index, line) in lines.enumerated() {
            // A write of its own for each: a pipe takes one whole, if it is not a long one.
            let start = index == 0 && isTorn ? [Self.newline] : []
            var rest = (start + line)[...]
            do throws(FileError) {
                while !rest.isEmpty { rest = rest.dropFirst(try put(rest, until: deadline)) }
            } catch {
                return Outcome(taken: index, error: error, isTorn: rest.count != line.count)
            }
        }
        return Outcome(taken: lines.count, error: nil, isTorn: false)
    }

    /// As much as there is room for, at least a byte.
    private borrowing func put(
        _ bytes: ArraySlice<UInt8>, until deadline: MonotonicTime
    ) throws(FileError) -> Int {
        while true {
            let left = max(0, MonotonicTime.now.milliseconds(until: deadline))
            var interest = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let count = poll(&interest, 1, Int32(left))
            if count > 0, let written = try write(bytes) { return written }
            if count < 0 && errno != EINTR { throw FileError(of: "poll") }
            if left == 0 {
                throw FileError("nobody reads what is written, within \(Self.roomMilliseconds) ms")
            }
            if count > 0 { usleep(1_000) }  // There is room, but not for so much.
        }
    }

    /// - Returns: nil when there is no room now.
    private borrowing func write(_ bytes: ArraySlice<UInt8>) throws(FileError) -> Int? {
        let count = bytes.withUnsafeBytes { bytes in
            isSocket
                ? send(
                    descriptor, bytes.baseAddress, bytes.count,
                    Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
                : Glibc.write(descriptor, bytes.baseAddress, bytes.count)
        }
        if count > 0 { return count }
        guard count < 0, errno == EINTR || errno == EAGAIN else { throw FileError(of: "write") }
        return nil
    }
}

extension mode_t {
    fileprivate func isOfKind(_ kind: mode_t) -> Bool { self & S_IFMT == kind }
}

/// Why lines did not go where they should, in the system's words or ours.
struct FileError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// After a call that failed.
    init(of call: String) {
        description = "\(call): \(String(cString: strerror(errno)))"
    }
}
