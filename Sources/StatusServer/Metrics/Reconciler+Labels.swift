internal import MetricsRegistry
internal import Reconciler
internal import Translation

extension Operation.Kind {
    /// Which part of the kernel an operation is about, and what it changes there.
    var labels: MetricLabels {
        switch self {
        case .createSet, .replaceSet, .destroySet: ["layer": "ipset", "object": "set"]
        case .addMember, .removeMember: ["layer": "ipset", "object": "member"]
        case .restoreRules, .removeRules, .removeLeftoverRules: ["layer": "iptables", "object": "rules"]
        case .deleteLeftoverTable: ["layer": "nftables", "object": "table"]
        case .createDevice, .deleteDevice: ["layer": "interface", "object": "device"]
        case .bind, .unbind: ["layer": "interface", "object": "address"]
        case .addVirtualServer, .editVirtualServer, .deleteVirtualServer: ["layer": "ipvs", "object": "virtual_server"]
        case .addRealServer, .editRealServer, .deleteRealServer: ["layer": "ipvs", "object": "real_server"]
        case .forgetFlows: ["layer": "conntrack", "object": "flow"]
        }
    }
}

extension Refusal.Field {
    /// The field, without whose it is: names of objects would make a series of each.
    var label: String {
        switch self {
        case .clusterIP: "clusterIPs"
        case .externalIP: "externalIPs"
        case .loadBalancerIngress: "loadBalancer.ingress"
        case .endpoint: "endpoints.addresses"
        }
    }
}

extension DroppedPackets.Reason {
    var label: String {
        switch self {
        case .noLocalEndpoints: "no_local_endpoints"
        case .sourceRanges: "source_ranges"
        }
    }
}

extension Refusal.Reason {
    var label: String {
        switch self {
        case .node: "node"
        case .apiServer: "api_server"
        case .nobody: "nobody"
        case .kernel: "kernel"
        case .operatorsChoice: "operators_choice"
        }
    }
}
