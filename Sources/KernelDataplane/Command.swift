internal import Glibc
internal import Subprocess
internal import SystemPackage

/// Runs system programs and waits for them; used only if there is no other interface.
enum Command {
    struct Result: Hashable {
        /// Nil if a signal killed the program.
        var exitCode: Int32?
        var output: String
        /// Its standard error, in one line.
        var standardError: String

        var succeeded: Bool { exitCode == 0 }
    }

    /// The outcome of an attempt to run a program.
    enum Attempt: Hashable {
        case ran(Result)
        /// The program does not exist or is not executable.
        case notFound
        /// The program failed to start, or timed out; retrying may succeed.
        case notRun(reason: String)
    }

    /// In bytes. Listings are long on nodes with many rules of others; longer output is an error, to limit memory.
    private static let outputLimit = 64 << 20

    /// A program that takes longer is considered hung and is killed.
    private static let timeLimit = Duration.seconds(60)

    /// Runs a program that changes nothing; it is killed if the task is cancelled.
    static func attempt(_ name: String, _ arguments: [String], input: String = "") async -> Attempt {
        guard let path = path(of: name) else { return .notFound }
        do {
            return .ran(try await runLimited(path, arguments, input: input))
        } catch let error as SubprocessError where error.code == .executableNotFound {
            return .notFound
        } catch let error as DataplaneError {
            return .notRun(reason: error.reason)
        } catch {
            return .notRun(reason: "failed to run: \(error)")
        }
    }

    /// Runs a program to completion.
    ///
    /// Fails only if the program failed to start or timed out; its exit code is in the result.
    static func run(_ name: String, _ arguments: [String], input: String = "") async throws(DataplaneError) -> Result {
        // A separate task, so that cancelling the caller does not kill the program: a killed iptables-restore may have changed only some of
        // the tables.
        let running = Task { await attempt(name, arguments, input: input) }
        switch await running.value {
        case .ran(let result): return result
        case .notFound: throw DataplaneError(name, "not installed")
        case .notRun(let reason): throw DataplaneError(name, reason, isTemporary: true)
        }
    }

    /// The first executable file of this name in the folders of `PATH`; nil if there is none.
    ///
    /// Subprocess would start a process for each folder until the program is found.
    static func path(of name: String, in folders: String? = unsafe getenv("PATH").map { unsafe String(cString: $0) }) -> FilePath? {
        guard !name.contains("/") else { return FilePath(name) }
        for folder in (folders ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").split(separator: ":") {
            let path = "\(folder)/\(name)"
            // Folders are executable as well, but not named like a program.
            if unsafe access(path, X_OK) == 0 { return FilePath(path) }
        }
        return nil
    }

    private static func runLimited(_ path: FilePath, _ arguments: [String], input: String) async throws -> Result {
        try await withThrowingTaskGroup(of: Result.self) { group in
            group.addTask { try await runUnlimited(path, arguments, input: input) }
            group.addTask {
                try await Task.sleep(for: timeLimit)
                throw DataplaneError("\(path)", "timed out after \(timeLimit)")
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw DataplaneError("\(path)", "did not run") }
            return first
        }
    }

    private static func runUnlimited(_ path: FilePath, _ arguments: [String], input: String) async throws -> Result {
        let result = try await Subprocess.run(
            // The messages of programs are compared with English texts.
            .path(path), arguments: Arguments(arguments), environment: .inherit.updating(["LC_ALL": "C"]), input: .string(input),
            output: .string(limit: outputLimit), error: .string(limit: 1 << 16))
        let standardError = result.standardError.split(separator: "\n").joined(separator: "; ")
        switch result.terminationStatus {
        case .exited(let code): return Result(exitCode: code, output: result.standardOutput, standardError: standardError)
        case .signaled(let signal):
            return Result(
                exitCode: nil, output: result.standardOutput,
                standardError: standardError.isEmpty ? "killed by signal \(signal)" : standardError)
        }
    }
}
