/// Whether modules can be added to the running kernel, which decides the advice about a missing one.
enum ModuleLoading: Hashable {
    case possible
    /// `kernel.modules_disabled` is 1, which only a reboot changes.
    case disabled
    /// The kernel was built without loadable modules (`CONFIG_MODULES`) and has no such setting.
    case unsupported

    /// - Parameter setting: the value of `kernel.modules_disabled`; nil if the kernel does not have it.
    init(setting: String?) {
        switch setting {
        case nil: self = .unsupported
        case "1": self = .disabled
        default: self = .possible
        }
    }

    static var current: ModuleLoading {
        do {
            return ModuleLoading(setting: try Sysctl("kernel.modules_disabled").read())
        } catch {
            // Unreadable, so nothing is known: the usual advice applies.
            return .possible
        }
    }

    /// How to add modules to this kernel: `load the module dummy (modprobe dummy), …`.
    static func advice(_ modules: String...) -> String { current.advice(modules) }

    static func advice(_ modules: [String]) -> String { current.advice(modules) }

    func advice(_ modules: [String]) -> String {
        let isOne = modules.count == 1
        let names = modules.dropLast().joined(separator: ", ") + (isOne ? "" : " and ") + (modules.last ?? "")
        let (noun, pronoun) = isOne ? ("module", "it") : ("modules", "them")
        switch self {
        case .possible:
            return "load the \(noun) \(names) (modprobe \(isOne ? "" : "--all ")\(modules.joined(separator: " "))), "
                + "and add \(pronoun) to /etc/modules-load.d for the next boot"
        case .disabled:
            return "load the \(noun) \(names), which kernel.modules_disabled=1 forbids until the node reboots: "
                + "add \(pronoun) to /etc/modules-load.d and reboot"
        case .unsupported:
            return "this kernel was built without \(names) and cannot load modules: boot a kernel that has \(pronoun)"
        }
    }
}
