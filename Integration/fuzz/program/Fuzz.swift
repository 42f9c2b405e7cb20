import CFuzzer
import FoundationEssentials
import FuzzTargets
import Glibc

/// The program of `Integration/fuzz/run`:
///
///     fuzz                     lists the targets
///     fuzz unpack FILE FOLDER  the inputs of a corpus, one in a file
///     fuzz pack FOLDER FILE LIMIT  the shortest of them, up to a total length in bytes
///     FUZZ_TARGET=NAME fuzz …  libFuzzer with its own arguments; it starts itself with the same ones
@main enum Fuzz {
    private static let target = FuzzTarget.all.first { $0.name == ProcessInfo.processInfo.environment["FUZZ_TARGET"] }

    static func main() throws {
        let words = CommandLine.arguments
        switch (words.dropFirst().first, words.count) {
        case ("unpack", 4): try Corpus(packed: URL(filePath: words[2])).unpack(into: URL(filePath: words[3]))
        case ("pack", 5): try Corpus(unpacked: URL(filePath: words[2]), limit: Int(words[4]) ?? 0).pack(into: URL(filePath: words[3]))
        default:
            guard target == nil else { return run() }
            print(FuzzTarget.all.map(\.name).joined(separator: "\n"))
        }
    }

    private static func run() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        exit(
            LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
                Fuzz.check(Array(UnsafeBufferPointer(start: bytes, count: count)))
                return 0
            })
    }

    /// The CPU time in seconds for one input; libFuzzer's own limit is for hangs, as it depends on what else this machine does.
    private static let limit = 1.0

    private static func check(_ bytes: [UInt8]) {
        let start = processorSeconds
        do {
            try target?.check(bytes)
        } catch {
            fatalError("\(error)")
        }
        let seconds = processorSeconds - start
        if seconds > limit { fatalError("an input of \(bytes.count) bytes takes \(seconds) s") }
    }

    private static var processorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
