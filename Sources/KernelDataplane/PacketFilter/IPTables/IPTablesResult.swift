/// The result of running an iptables program, classified by its messages.
///
/// Exit codes are ambiguous: iptables 1.8 exits with 4 (`RESOURCE_PROBLEM`) while another program holds the lock, if the lock file cannot
/// be opened, and, with nft, for every error of the kernel. The messages are distinct: they come from the C library (`strerror`) or libiptc
/// (`iptc_strerror`).
enum IPTablesResult: Hashable {
    case works
    /// The program does not exist, or the kernel lacks something it needs.
    case unavailable(String)
    /// Permission is missing: only the operator can change that.
    case refused(String)
    /// A temporary failure, or one of unknown meaning.
    case inconclusive(String)
    /// The program does not report the kernel's error; another program has to be run.
    case unexplained(String)

    init(_ attempt: Command.Attempt) {
        switch attempt {
        case .notFound: self = .unavailable("not found")
        case .notRun(let reason): self = .inconclusive(reason)
        case .ran(let result): self.init(result)
        }
    }

    init(_ result: Command.Result) {
        let standardError = result.standardError
        func says(_ phrases: [String]) -> Bool { phrases.contains { standardError.contains($0) } }
        if result.succeeded {
            self = .works
        } else if IPTablesResult.isLocked(result) {
            self = .inconclusive(
                "another program holds the xtables lock, see `fuser -v \(IPTablesResult.lockFile(standardError))` (\(standardError))")
        } else if IPTablesResult.isShortage(result) {
            self = .inconclusive(standardError)
        } else if says(["can't open lock file"]) {
            self = .refused("\(standardError): the iptables lock file must be writable: mount /run/xtables.lock of the node")
        } else if says(IPTablesResult.denials) {
            self = .refused(standardError)
        } else if says(["unable to initialize table"]) {
            self = .unexplained(standardError)
        } else if says(IPTablesResult.absences) || [126, 127].contains(result.exitCode) {
            self = .unavailable(standardError)
        } else {
            self = .inconclusive(standardError.isEmpty ? "exit status \(result.exitCode ?? -1)" : standardError)
        }
    }

    /// Whether the program failed for a temporary reason.
    static func isTemporary(_ result: Command.Result) -> Bool { isLocked(result) || isShortage(result) }

    private static func isLocked(_ result: Command.Result) -> Bool {
        !result.succeeded && ["xtables lock", "Can't lock "].contains { result.standardError.contains($0) }
    }

    /// Whether the program failed because the system is busy or lacks a resource.
    static func isShortage(_ result: Command.Result) -> Bool {
        !result.succeeded && (result.exitCode == nil || shortages.contains { result.standardError.contains($0) })
    }

    private static let shortages = [
        "Resource temporarily unavailable", "Device or resource busy", "Interrupted system call", "Cannot allocate memory", "Out of memory",
        "Memory allocation problem", "No buffer space available", "Too many open files", "Connection timed out", "Text file busy",
    ]

    private static let denials = ["Permission denied", "Operation not permitted", "you must be root"]

    /// Messages of the kernel or the program that something does not exist.
    private static let absences = [
        "does not exist", "No such file or directory", "No such device", "Operation not supported", "Protocol not supported",
        "Protocol not available", "Address family not supported", "Function not implemented", "Invalid argument", "Invalid module name",
        "Module is wrong version",
        "Incompatible with this kernel", "is incompatible", "unknown option", "unrecognized option", "invalid option", "not found",
    ]

    private static func lockFile(_ standardError: String) -> Substring {
        guard let start = standardError.firstRange(of: "Can't lock ")?.upperBound, let end = standardError[start...].firstIndex(of: ":")
        else {
            return "/run/xtables.lock"
        }
        return standardError[start..<end]
    }

    /// The error; nil if the program works.
    func error(_ request: String) -> DataplaneError? {
        switch self {
        case .works: nil
        case .unavailable(let reason), .refused(let reason): DataplaneError(request, reason)
        case .inconclusive(let reason), .unexplained(let reason): DataplaneError(request, reason, isTemporary: true)
        }
    }
}
