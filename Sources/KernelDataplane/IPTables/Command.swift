internal import Subprocess

/// Runs a program of the system and waits for it; for the few things that have no interface but a program.
enum Command {
    struct Result {
        var succeeded: Bool
        var output: String
        /// What it wrote to its standard error, in one line.
        var complaint: String
    }

    /// Listings of nodes with other people's rules are long; more than this is refused rather than held in memory.
    private static let outputLimit = 64 << 20

    /// Fails only where the program could not be started; its own failure is in the result.
    static func run(_ name: String, _ arguments: [String], input: String = "") async throws(DataplaneError) -> Result {
        do {
            let result = try await Subprocess.run(
                .name(name), arguments: Arguments(arguments), input: .string(input), output: .string(limit: outputLimit),
                error: .string(limit: 1 << 16))
            let complaint = result.standardError.split(separator: "\n").joined(separator: "; ")
            return Result(succeeded: result.terminationStatus.isSuccess, output: result.standardOutput, complaint: complaint)
        } catch {
            throw DataplaneError(name, "cannot run it: \(error)")
        }
    }
}
