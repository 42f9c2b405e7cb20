import ArgumentParser
import Foundation
import Testing

@testable import kube_ipvs_proxy

@Suite struct `The list of flags` {
    private func listing(_ arguments: [String]) throws -> FlagListing {
        let command = try KubeIPVSProxy.parseAsRoot(GoStyleArguments.normalized(arguments))
        return try #require(command as? RunCommand).listing
    }

    @Test func `shows the same values of kube-proxy's flags as kube-proxy for the same command line`() throws {
        let golden = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/kube-proxy-1.36-http/flagz")
        let lines = try String(contentsOf: golden, encoding: .utf8).split(separator: "\n").filter { $0.contains(/^[a-z0-9-]+=/) }
        #expect(lines.count == 59)
        let ours = try listing([
            "--proxy-mode=ipvs", "--v=2", "--profiling", "--hostname-override=node1", "--kubeconfig=/var/lib/kube-proxy/kubeconfig",
            "--cluster-cidr=10.244.0.0/16,fd00:244::/32",
        ])
        for line in lines {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            #expect(ours[String(parts[0])] == String(parts[1]), "\(line)")
        }
    }

    @Test func `contains exactly the existing flags`() throws {
        let help = KubeIPVSProxy.helpMessage(for: RunCommand.self, includeHidden: true, columns: 10_000)
        let flags = help.matches(of: /(?m)^ +(?:-[a-z], )?--([a-z0-9-]+)/).map { String($0.1) }
        #expect(flags.count > 60)
        #expect(Set(flags).symmetricDifference(try listing([]).keys).isEmpty)
    }

    @Test func `formats values as Go does`() throws {
        let flags = try listing([
            "--nodeport-addresses=10.0.0.0/8", "--nodeport-addresses", "fd00::/8,192.0.2.0/24", "--feature-gates=B=true,A=false",
            "--ipvs-sync-period=90s", "--kube-api-qps=-1", "--masquerade-all", "--once", "--cleanup=false", "--packet-filter=nftables",
            "--service-addresses=route",
        ])
        let expected = [
            "nodeport-addresses": "[10.0.0.0/8,fd00::/8,192.0.2.0/24]", "feature-gates": "A=false,B=true", "ipvs-sync-period": "1m30s",
            "kube-api-qps": "-1", "masquerade-all": "true", "once": "true", "cleanup": "false", "packet-filter": "nftables",
            "iptables-backend": "auto", "service-addresses": "route",
        ]
        for (name, value) in expected { #expect(flags[name] == value, "\(name)") }
        #expect(try listing([])["packet-filter"] == "auto" && listing([])["service-addresses"] == "auto")
    }
}
