import KernelTestSupport

extension Place {
    /// Manifests, logs and state of the scenarios; a file system in memory.
    static let scratch = "/run/scenarios"
    static let manifests = "\(scratch)/manifests"
    static let state = "\(scratch)/state"
    /// Certificates, token and kubeconfig of the API server.
    static let api = "\(scratch)/api"
    static let kubeconfig = "\(api)/kubeconfig"
    static let log = "\(scratch)/proxy.log"

    /// Set by `make integration`: these tests make network namespaces and programs of their own and belong on a kernel that is theirs.
    static var isKernelOurs: Bool { environment("KUBE_IPVS_SCENARIOS") == "1" }
}
