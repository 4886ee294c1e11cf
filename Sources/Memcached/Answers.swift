/// What memcached answers in one line.
enum Answer: Equatable {
    case stored, notStored, exists, notFound, deleted
    /// It is well and could not do this: too large, or no memory.
    case serverError(String)
    /// What this library never asks for.
    case other

    private static let serverErrorWord = "SERVER_ERROR "

    init(line: UnsafeRawBufferPointer) {
        let text = String(decoding: line, as: UTF8.self)
        switch text {
        case "STORED": self = .stored
        case "NOT_STORED": self = .notStored
        case "EXISTS": self = .exists
        case "NOT_FOUND": self = .notFound
        case "DELETED": self = .deleted
        case _ where text.hasPrefix(Self.serverErrorWord):
            // Where it goes may be a terminal.
            let words = text.utf8.dropFirst(Self.serverErrorWord.utf8.count)
            self = .serverError(String(decoding: words.filter(isVisible), as: UTF8.self))
        default: self = .other
        }
    }

    /// What an answer means to a request that has no use for it.
    var failure: Unavailable {
        guard case .serverError(let text) = self else { return Stream.unasked }
        return Unavailable(.notStored(text))
    }
}

/// `VALUE KEY FLAGS BYTES TOKEN`, before an entry's value.
struct EntryHead {
    let key: [UInt8]
    let flags: UInt32
    let valueBytes: Int
    /// nil: this memcached keeps none (`-C`), and says 0 or nothing.
    let token: UInt64?

    /// - Returns: nil for the `END` of all entries.
    /// - Throws: for any line that is neither.
    init?(line: UnsafeRawBufferPointer) throws(Unavailable) {
        if line.elementsEqual("END".utf8) { return nil }
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard (4...5).contains(words.count), words[0].elementsEqual("VALUE".utf8),
            let flags = UInt32(decimal: words[2]), let valueBytes = Int(decimal: words[3]),
            valueBytes <= Item.valueBytesMax
        else { throw Stream.unasked }
        key = Array(words[1])
        self.flags = flags
        self.valueBytes = valueBytes
        guard words.count == 5 else {
            token = nil
            return
        }
        guard let token = UInt64(decimal: words[4]) else { throw Stream.unasked }
        self.token = token == 0 ? nil : token
    }
}

private func isVisible(_ byte: UInt8) -> Bool { (0x20...0x7E).contains(byte) }

extension FixedWidthInteger {
    /// A number in digits and nothing else, however many there are: nil when it does not fit.
    fileprivate init?(decimal digits: Slice<UnsafeRawBufferPointer>) {
        guard !digits.isEmpty else { return nil }
        self = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            let (tenfold, isTooLarge) = multipliedReportingOverflow(by: 10)
            let (sum, isTooLargeNow) = tenfold.addingReportingOverflow(Self(digit - 0x30))
            guard !isTooLarge, !isTooLargeNow else { return nil }
            self = sum
        }
    }
}
