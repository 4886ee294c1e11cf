import Testing

/// The README's examples are true: each command of a block
///
///     ```console
///     $ curl -s http://127.0.0.1:8080/products/25
///     [{"id": 25, …}]
///     ```
///
/// prints what follows it, to the letter, in a shop that has just been opened. Blocks with any
/// other word after the fence are for people only.
@Suite struct Readme {
    struct Example: Equatable {
        let line: Int
        let command: String
        let output: String

        var isOfNotifications: Bool {
            command.hasPrefix("grep ") && command.hasSuffix(" .run/notifications.jsonl")
        }
    }

    private static let address = "http://127.0.0.1:8080"

    /// - Parameter text: Markdown.
    static func examples(in text: String) -> [Example] {
        var examples: [Example] = []
        var isInside = false
        var start = 0
        var command: [String] = []
        var output: [String] = []
        func close() {
            if !command.isEmpty {
                examples.append(
                    Example(
                        line: start, command: command.joined(separator: "\n"),
                        output: output.joined(separator: "\n")))
            }
            (command, output) = ([], [])
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            if line.hasPrefix("```") {
                close()
                isInside = !isInside && line == "```console"
            } else if isInside, line.hasPrefix("$ ") {
                close()
                (start, command) = (index + 1, [String(line.dropFirst(2))])
            } else if isInside, output.isEmpty, command.last?.hasSuffix("\\") == true {
                command.append(String(line))
            } else if isInside, !command.isEmpty {
                output.append(String(line))
            }
        }
        close()
        return examples
    }

    @Test func `every example prints what it says`() throws {
        let readme = contents(of: TestRun.repository + "/README.md")
        let examples = Self.examples(in: readme)
        try #require(!examples.isEmpty, "README.md has no ```console block with a command")
        let shop = try Shop()
        let worker = try Part.worker(shop.database.settings(), in: shop.folder)
        for example in examples {
            #expect(
                example.command.hasPrefix("curl ") || example.isOfNotifications,
                "README.md:\(example.line): only curl, and grep in the notifications, is run")
            var expected = example.output
            while expected.hasSuffix("\n") { expected.removeLast() }
            var output = try Self.output(of: example, in: shop)
            // A notification comes a moment after its order was answered.
            if example.isOfNotifications && output != expected {
                output =
                    try eventually {
                        let output = try Self.output(of: example, in: shop)
                        return output == expected ? output : nil
                    } ?? output
            }
            #expect(output == expected, "README.md:\(example.line): \(example.command)")
        }
        #expect(worker.ended == nil, "\(contents(of: worker.log))")
    }

    /// What a command prints, and of one that failed what it says.
    private static func output(of example: Example, in shop: Shop) throws -> String {
        let command = example.command
            .replacing(address, with: "http://127.0.0.1:\(shop.port)")
            .replacing(".run/", with: "\(shop.folder)/")
        let finished = try Finished(["bash", "-c", command], in: shop.folder)
        var output = finished.status == 0 ? finished.output : "failed: \(finished.errors)"
        output.replace("\r\n", with: "\n")
        while output.hasSuffix("\n") { output.removeLast() }
        return output
    }

    @Test func `examples are found as they are written`() {
        let text = """
            Words
            ```sh
            $ ignored
            ```
            ```console
            $ curl a \\
                -d b
            one

            two
            $ curl c
            ```
            $ ignored too
            ```console
            $ curl d
            three
            ```
            """
        #expect(
            Self.examples(in: text) == [
                Example(line: 6, command: "curl a \\\n    -d b", output: "one\n\ntwo"),
                Example(line: 11, command: "curl c", output: ""),
                Example(line: 15, command: "curl d", output: "three"),
            ])
    }
}
