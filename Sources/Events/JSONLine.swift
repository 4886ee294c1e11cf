import FoundationEssentials

/// A JSON document without line breaks, whose members are in the order of their names.
enum JSONLine {
    /// - Parameter value: of texts and numbers, which cannot fail to be encoded.
    static func bytes(of value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return [UInt8](try encoder.encode(value))
        } catch {
            preconditionFailure("a text is no JSON: \(error)")
        }
    }
}
