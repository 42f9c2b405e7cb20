internal import ArgumentParser

@main
struct KubeIPVSProxy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kube-ipvs-proxy",
        abstract: "Kubernetes node proxy in IPVS mode.",
        discussion: """
            Forwards the traffic of Services to their pods: creates an IPVS virtual server for each address and port of a Service, with the pods as \
            real servers. Accepts kube-proxy's flags and uses kube-proxy's names in the kernel, so that either can replace the other on a live node.

            EXAMPLES
              Serve the Services of a cluster (in a pod, --kubeconfig is not needed):
                kube-ipvs-proxy --kubeconfig /etc/kubernetes/kube-proxy.conf --cluster-cidr 10.244.0.0/16
              Serve the Services in a directory of manifests:
                kube-ipvs-proxy --manifests deploy/examples --hostname-override node1 --cluster-cidr 10.244.0.0/16
              Print the changes that a sync would make, without applying them:
                kube-ipvs-proxy plan --manifests deploy/examples --hostname-override node1
              Show the Services in the kernel, their pods, and problems:
                kube-ipvs-proxy status
              Remove the kernel state of this program or kube-proxy:
                kube-ipvs-proxy cleanup
            """,
        version: "kube-ipvs-proxy \(programVersion)",
        subcommands: [RunCommand.self, PlanCommand.self, StatusCommand.self, CleanupCommand.self],
        defaultSubcommand: RunCommand.self)

    static func main() async {
        do {
            let arguments = Array(CommandLine.arguments.dropFirst())
            if let version = VersionFlag(arguments).text { return print(version) }
            let command = try parseAsRoot(GoStyleArguments.normalized(arguments))
            guard var asynchronous = command as? any AsyncParsableCommand else {
                var command = command
                return try command.run()
            }
            try await asynchronous.run()
        } catch {
            end(error)
        }
    }

    /// Exits with 1 after invalid flags, as kube-proxy does, not with 64 as in sysexits.
    private static func end(_ error: any Error) -> Never {
        guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
        fail(fullMessage(for: error))
    }
}

/// The version of this program.
let programVersion = "0.1.0"

/// `--version` in the forms that kube-proxy accepts: alone, or with `=true`, `=false` or `=raw`.
struct VersionFlag {
    /// The version to print before exiting; nil if it is not requested.
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

    /// In kube-proxy's format, for scripts that parse it.
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
