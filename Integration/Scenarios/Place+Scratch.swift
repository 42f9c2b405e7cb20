import KernelTestSupport

extension Place {
    /// Manifests, logs and state of the scenarios, on an in-memory file system.
    static let scratch = "/run/scenarios"
    static let manifests = "\(scratch)/manifests"
    static let state = "\(scratch)/state"
    /// Certificates, token and kubeconfig of the API server.
    static let api = "\(scratch)/api"
    static let kubeconfig = "\(api)/kubeconfig"
    static let log = "\(scratch)/proxy.log"

    /// The message of the log about the packet filter, with the families that the node has.
    static let detected = hasIPTables ? #""Detected iptables""# : #""Selected packet filter""#

    /// Set by `make integration`: these tests create network namespaces and processes, and require their own kernel.
    static var isKernelOurs: Bool { environment("KUBE_IPVS_SCENARIOS") == "1" }
}
