/// `--version` in the forms kube-proxy takes: alone, or with `=true`, `=false` or `=raw`.
struct VersionFlag {
    /// What to print instead of doing anything; nil for nothing.
    let text: String?

    init(_ arguments: [String]) {
        let flags = arguments.prefix { $0 != "--" }
        text =
            switch flags.last(where: { $0 == "--version" || $0.hasPrefix("--version=") }) {
            case "--version", "--version=true": "kube-ipvs-proxy \(programVersion)"
            case "--version=raw": VersionFlag.raw
            default: nil
            }
    }

    /// In the form of kube-proxy's, for whoever looks for a field in it.
    private static var raw: String {
        let numbers = programVersion.split(separator: ".")
        #if arch(arm64)
            let architecture = "arm64"
        #else
            let architecture = "amd64"
        #endif
        return
            "version.Info{Major:\"\(numbers[0])\", Minor:\"\(numbers[1])\", GitVersion:\"v\(programVersion)\", Platform:\"linux/\(architecture)\"}"
    }
}
