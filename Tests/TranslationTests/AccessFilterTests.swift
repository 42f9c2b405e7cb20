import Kubernetes
import Model
import Testing
import Translation

@Suite struct `The filter for service addresses` {
    @Test(arguments: IPFamily.allCases) func `accepts Services, health checks and echo requests, and ends with kube-proxy's own rule`(
        family: IPFamily
    ) {
        let (v6, icmp) = family == .ipv4 ? ("", "icmp") : ("6-", "icmp6")
        let passing = ["LOAD-BALANCER", "CLUSTER-IP", "EXTERNAL-IP", "EXTERNAL-IP-LOCAL"].map {
            "-m set --match-set KUBE-\(v6)\($0) dst,dst -j RETURN"
        }
        let rules = Cluster([]).rules(.filter, "KUBE-IPVS-FILTER", family)
        #expect(Array(rules.prefix(5)) == passing + ["-m set --match-set KUBE-\(v6)HEALTH-CHECK-NODE-PORT dst -j RETURN"])
        let echo = family == .ipv4 ? "-p icmp -m icmp --icmp-type 8" : "-p ipv6-icmp -m icmp6 --icmpv6-type 128"
        #expect(rules.dropFirst(5).first == "\(echo) -m set --match-set KUBE-\(v6)IPVS-IPS dst -j RETURN")
        #expect(
            rules.last
                == "-m conntrack --ctstate NEW -m set --match-set KUBE-\(v6)IPVS-IPS dst -j REJECT --reject-with \(icmp)-port-unreachable")
    }

    @Test func `rejects each protocol with the response that ends an attempt immediately`() {
        func refusals(_ family: IPFamily) -> [String] {
            Cluster([]).rules(.filter, "KUBE-IPVS-FILTER", family).filter { $0.contains("-j REJECT") }.map { rule in
                let words = rule.split(separator: " ").map(String.init)
                return "\(words[0] == "-p" ? words[1] : "any"): \(words.last ?? "")"
            }
        }
        #expect(refusals(.ipv4) == ["tcp: tcp-reset", "sctp: icmp-proto-unreachable", "any: icmp-port-unreachable"])
        #expect(refusals(.ipv6) == ["tcp: tcp-reset", "any: icmp6-port-unreachable"])
    }

    /// Established flows and related errors must not be rejected.
    @Test(arguments: IPFamily.allCases) func `rejects only new flows to addresses of kube-ipvs0`(family: IPFamily) {
        let addresses = KubeSet.ipvsIPs.name(family)
        for rule in Cluster([]).rules(.filter, "KUBE-IPVS-FILTER", family) where rule.contains("-j REJECT") {
            #expect(rule.contains("--ctstate NEW -m set --match-set \(addresses) dst"), "\(rule)")
        }
    }

    /// An address of another interface is the node's own, even if a Service names it: its other ports stay open.
    @Test(arguments: ["50.60.70.81", "2001:db8::81"]) func `never applies to an address of another interface`(address: String) {
        let web = Service.clusterIP("web", "10.96.0.10").with {
            $0.clusterIPs = ["10.96.0.10", "fd00:96::10"]
            $0.ipFamilies = [.ipv4, .ipv6]
            $0.type = .loadBalancer
            $0.externalIPs = [address]
            $0.loadBalancerIngress = [LoadBalancerIngress(ip: address)]
        }
        let family: IPFamily = address.contains(":") ? .ipv6 : .ipv4
        var cluster = Cluster([web], local: ["10.99.0.2", address])
        #expect(
            cluster.members(.externalIP, family) + cluster.members(.loadBalancer, family) == ["\(address),tcp:80", "\(address),tcp:80"])
        #expect(!cluster.members(.ipvsIPs, family).contains(address) && !cluster.bound.contains(address))

        cluster.localAddresses = Set(["10.99.0.2"].compactMap { IPAddress($0) })
        cluster.translate()
        #expect(cluster.members(.ipvsIPs, family).contains(address))

        cluster.localAddresses = Set(["10.99.0.2", address].compactMap { IPAddress($0) })
        cluster.translate()
        #expect(!cluster.members(.ipvsIPs, family).contains(address))
    }
}
