import Glibc

/// Paths of the repository and the programs under test.
package enum Place {
    /// The repository, derived from the path of this file.
    package static let repository = String(#filePath.dropLast("/Integration/Support/Place.swift".count))

    package static let proxy = environment("KUBE_IPVS_PROXY") ?? "\(repository)/.build/debug/kube-ipvs-proxy"
    package static let traffic = environment("TRAFFIC") ?? "\(repository)/.build/debug/traffic"
    package static let apiserver = environment("APISERVER") ?? "\(repository)/.build/debug/apiserver"

    /// The backend of iptables that the tests use, `legacy` or `nft`: the suffix of its programs.
    package static let iptables = environment("KUBE_IPVS_IPTABLES") ?? "legacy"

    package static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}
