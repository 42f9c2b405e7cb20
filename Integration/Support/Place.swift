import Glibc

/// Paths of the repository and the programs under test.
package enum Place {
    /// The repository, derived from the path of this file.
    package static let repository = String(#filePath.dropLast("/Integration/Support/Place.swift".count))

    package static let proxy = environment("KUBE_IPVS_PROXY") ?? "\(repository)/.build/debug/kube-ipvs-proxy"
    package static let traffic = environment("TRAFFIC") ?? "\(repository)/.build/debug/traffic"
    package static let apiserver = environment("APISERVER") ?? "\(repository)/.build/debug/apiserver"

    /// The backend of iptables that the tests use, `legacy` or `nft`: the suffix of its programs. `none` on a node without iptables and ipset, where the
    /// proxy uses nftables.
    package static let iptables = environment("KUBE_IPVS_IPTABLES") ?? "legacy"
    package static let hasIPTables = iptables != "none"
    /// The flag that makes the proxy use the packet filter of the tests.
    package static let filterFlag = hasIPTables ? "--iptables-backend \(iptables)" : "--packet-filter nftables"

    /// Whether service addresses are local routes.
    package static let hasRoutes = environment("KUBE_IPVS_SERVICE_ADDRESSES") == "route"
    /// The flag with which the proxies of flows and scenarios make service addresses of one kind, `address` or `route`; empty for the default.
    package static let addressFlag = environment("KUBE_IPVS_SERVICE_ADDRESSES").map { "--service-addresses \($0)" } ?? ""

    package static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}
