import CFuzzer
import FoundationEssentials
import Glibc

// commerce-fuzz PARSER FOLDER [OPTION of libFuzzer...]: feeds a parser what may break it. FOLDER keeps
// what has led to new paths.

guard CommandLine.arguments.count > 2, let parser = Parser(rawValue: CommandLine.arguments[1])
else {
    let names = Parser.allCases.map(\.rawValue).joined(separator: " | ")
    print("usage: commerce-fuzz \(names) FOLDER [OPTION of libFuzzer...]")
    exit(2)
}
let chosen = parser

let folder = CommandLine.arguments[2]
try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
for (number, seed) in parser.seeds.enumerated() {
    try Data(seed.utf8).write(to: URL(filePath: "\(folder)/seed-\(number)"))
}

/// What libFuzzer calls. Its own main is linked with it and wants this name.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    chosen.parse(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

let kept = [CommandLine.arguments[0]] + CommandLine.arguments[2...]
var arguments: [UnsafeMutablePointer<CChar>?] = kept.map { strdup($0) } + [nil]
var count = CInt(kept.count)
let status = arguments.withUnsafeMutableBufferPointer { arguments in
    var first = arguments.baseAddress
    return LLVMFuzzerRunDriver(&count, &first, testOneInput)
}
exit(status)
