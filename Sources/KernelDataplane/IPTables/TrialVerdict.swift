/// What it says about a node that one of the programs of iptables was tried and ended as it did.
///
/// Exit codes do not tell: iptables 1.8 exits with 4 (`RESOURCE_PROBLEM`) while another program holds the lock, where the lock file may not be opened, and, with nft, for whatever the
/// kernel answers. Their words do: they are the C library's for the kernel's errno (`strerror`), or libiptc's (`iptc_strerror`).
enum TrialVerdict: Hashable {
    case works
    /// The program does not exist, or the kernel has not what it needs.
    case notThere(String)
    /// We are not allowed to: nothing will change that but a person.
    case refused(String)
    /// It could not be tried for now. So is everything that is not known to be an answer.
    case couldNotTell(String)
    /// The program keeps the kernel's answer to itself; another one has to be asked.
    case unexplained(String)

    init(_ attempt: Command.Attempt) {
        switch attempt {
        case .notFound: self = .notThere("not found")
        case .notRun(let reason): self = .couldNotTell(reason)
        case .ran(let result): self.init(result)
        }
    }

    init(_ result: Command.Result) {
        let complaint = result.complaint
        func says(_ phrases: [String]) -> Bool { phrases.contains { complaint.contains($0) } }
        if result.succeeded {
            self = .works
        } else if TrialVerdict.isLocked(result) {
            self = .couldNotTell(
                "another program holds the xtables lock, see `fuser -v \(TrialVerdict.lockFile(complaint))` (\(complaint))")
        } else if TrialVerdict.isShortage(result) {
            self = .couldNotTell(complaint)
        } else if says(["can't open lock file"]) {
            self = .refused("\(complaint): the lock file of iptables must be writable, mount the node's /run/xtables.lock")
        } else if says(TrialVerdict.denials) {
            self = .refused(complaint)
        } else if says(["unable to initialize table"]) {
            self = .unexplained(complaint)
        } else if says(TrialVerdict.absences) || [126, 127].contains(result.exitCode) {
            self = .notThere(complaint)
        } else {
            self = .couldNotTell(complaint.isEmpty ? "exit status \(result.exitCode ?? -1)" : complaint)
        }
    }

    /// Whether a program failed for a reason that is known to pass.
    static func isTemporary(_ result: Command.Result) -> Bool { isLocked(result) || isShortage(result) }

    private static func isLocked(_ result: Command.Result) -> Bool {
        !result.succeeded && ["xtables lock", "Can't lock "].contains { result.complaint.contains($0) }
    }

    /// Whether a program failed because the machine is busy or short of something.
    static func isShortage(_ result: Command.Result) -> Bool {
        !result.succeeded && (result.exitCode == nil || shortages.contains { result.complaint.contains($0) })
    }

    private static let shortages = [
        "Resource temporarily unavailable", "Device or resource busy", "Interrupted system call", "Cannot allocate memory", "Out of memory",
        "Memory allocation problem", "No buffer space available", "Too many open files", "Connection timed out", "Text file busy",
    ]

    private static let denials = ["Permission denied", "Operation not permitted", "you must be root"]

    /// The kernel's or the program's word that there is no such thing.
    private static let absences = [
        "does not exist", "No such file or directory", "No such device", "Operation not supported", "Protocol not supported",
        "Protocol not available", "Address family not supported", "Function not implemented", "Invalid argument", "Invalid module name",
        "Module is wrong version",
        "Incompatible with this kernel", "is incompatible", "unknown option", "unrecognized option", "invalid option", "not found",
    ]

    private static func lockFile(_ complaint: String) -> Substring {
        guard let start = complaint.firstRange(of: "Can't lock ")?.upperBound, let end = complaint[start...].firstIndex(of: ":") else {
            return "/run/xtables.lock"
        }
        return complaint[start..<end]
    }

    /// As an error; nil where it works.
    func error(_ request: String) -> DataplaneError? {
        switch self {
        case .works: nil
        case .notThere(let reason), .refused(let reason): DataplaneError(request, reason)
        case .couldNotTell(let reason), .unexplained(let reason): DataplaneError(request, reason, isTemporary: true)
        }
    }
}
