import FoundationEssentials
import KernelTestSupport

/// The kernel state of kube-proxy 1.36 (`Tests/Fixtures/kube-proxy-1.36`), loaded into the node with independent tools.
struct KubeProxyState {
    let folder: String

    init(_ scenario: String) { folder = "\(Place.repository)/Tests/Fixtures/kube-proxy-1.36/\(scenario)" }

    /// Writes the objects of the scenario as manifests.
    func writeObjects() async throws {
        let world = World.shared
        try await world.write("base.json", String(ofFile: "\(folder)/../base.json"))
        try await world.write("objects.json", String(ofFile: "\(folder)/objects.json"))
    }

    /// Loads the state and keeps the state of others.
    func load() async throws {
        try await Shell.output(
            in: "node1",
            """
            for name in conntrack expire_nodest_conn expire_quiescent_template; do echo 1 >/proc/sys/net/ipv4/vs/$name; done
            echo 1 >/proc/sys/net/ipv4/ip_forward
            ipset create probe hash:ip
            ipset save probe | grep -q bucketsize && edit= || edit='s/ bucketsize [0-9]*//' # Not in Linux 5.10.
            ipset destroy probe
            grep '^create' \(folder)/ipset | sed "$edit" | ipset restore; grep '^add' \(folder)/ipset | ipset restore
            \(restoreRules(withJumps: true))
            ip link add kube-ipvs0 type dummy
            sed '/./s/.*/address add & dev kube-ipvs0/' \(folder)/addresses | ip -batch -
            ipvsadm --restore <\(folder)/ipvs
            """)
    }

    /// Restores rules like a restart of kube-proxy: its chains are rewritten, and existing jumps are kept.
    func restoreRulesAsRestart() async throws { try await Shell.output(in: "node1", restoreRules(withJumps: false)) }

    private func restoreRules(withJumps: Bool) -> String {
        let builtIn = "(INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING) "
        let filter = withJumps ? "sed -E '/^:\(builtIn)/d'" : "sed -E '/^(:|-A )\(builtIn)/d'"
        return """
            \(filter) \(folder)/iptables | iptables-\(Place.iptables)-restore --noflush
            \(filter) \(folder)/ip6tables | ip6tables-\(Place.iptables)-restore --noflush
            """
    }

    /// Returns virtual servers, sets, rules and addresses in the order of the tools, without comments, counters and the hash seeds of sets.
    static func dump() async throws -> [String] {
        let text = try await Shell.output(
            in: "node1",
            """
            ipvsadm -S -n | sort; ipset save | sed 's/ initval 0x[0-9a-f]*//' | sort
            ip -oneline address show dev kube-ipvs0 2>/dev/null | awk '{print "kube-ipvs0", $4}' | sort
            for table in filter nat mangle; do for family in iptables ip6tables; do
                $family-\(Place.iptables)-save -t $table | sed -e '/^#/d' -e 's/ \\[.*//' -e "s/^/$family /"
            done; done
            """)
        return text.split(separator: "\n").map(String.init)
    }
}
