import ArgumentParser
import KubeProxyConfiguration
import Model
import Reconciler
import Testing
import Translation

@testable import kube_ipvs_proxy

@Suite struct `Go-style flags` {
    @Test(arguments: [
        (["--masquerade-all"], ["--masquerade-all=true"]), (["--masquerade_all=false"], ["--masquerade-all=false"]), (["-v=4"], ["--v=4"]),
        (["-v4"], ["--v=4"]),
        (["--cluster_cidr", "10.0.0.0/8"], ["--cluster-cidr", "10.0.0.0/8"]), (["--ipvs-exclude-cidrs=a_b"], ["--ipvs-exclude-cidrs=a_b"]),
        (["status", "-n"], ["status", "-n"]), (["--", "--a_b"], ["--", "--a_b"]),
        (["--localhost-nodeports"], ["--localhost-nodeports=true"]), (["--once", "--v", "2"], ["--once=true", "--v", "2"]),
        (["--cluster-cidr="], ["--cluster-cidr", ""]),
    ])
    func `are normalized for the argument parser`(given: [String], expected: [String]) {
        #expect(GoStyleArguments.normalized(given) == expected)
    }

    @Test func `are parsed in every supported spelling`() throws {
        let arguments = [
            "--manifests=m", "--ipvs-exclude-cidrs", "10.0.0.0/8,fd00::/8", "--ipvs-exclude-cidrs=1.2.3.4/32", "--masquerade-all",
            "--localhost_nodeports",
            "--once=false", "--v=3",
            "--hostname-override", "n", "--external-ip-cidrs=192.0.2.0/24,2001:db8::/32", "--feature-gates",
            "AllowServiceExternalIPs=false",
            "--feature_gates=AllBeta=true,AllAlpha=false", "--other-node-addresses=list",
        ]
        let command = try #require(try KubeIPVSProxy.parseAsRoot(GoStyleArguments.normalized(arguments)) as? RunCommand)
        let configuration = try command.options.start().proxy
        #expect(configuration.excludeCIDRs.map(\.description) == ["10.0.0.0/8", "fd00::/8", "1.2.3.4/32"])
        #expect(configuration.masqueradeAll && configuration.cluster == .manifests("m") && configuration.nodeName == "n")
        #expect(configuration.externalIPCIDRs.map(\.description) == ["192.0.2.0/24", "2001:db8::/32"])
        #expect(configuration.localhostNodePorts && configuration.otherNodeAddresses == .list)
        #expect(!configuration.featureGates.allowsServiceExternalIPs)
        #expect(!command.once.value && command.options.logging.v == 3)
    }

    @Test func `select the output format of a cleanup dry run only`() throws {
        func cleanup(_ arguments: String...) throws -> CleanupCommand {
            try #require(try KubeIPVSProxy.parseAsRoot(GoStyleArguments.normalized(["cleanup"] + arguments)) as? CleanupCommand)
        }
        #expect(try cleanup("--dry-run", "-o", "json").output == .json)
        #expect(try cleanup("--dry_run").dryRun.value && !cleanup("--dry-run=false").dryRun.value && !cleanup().dryRun.value)
        #expect(throws: (any Error).self) { try cleanup("-o", "json") }
    }

    @Test func `select the API server unless manifests are set, with kube-proxy's defaults`() throws {
        func cluster(_ arguments: String...) throws -> ProxyConfiguration.ClusterSourceChoice {
            let command = try #require(try KubeIPVSProxy.parseAsRoot(GoStyleArguments.normalized(arguments)) as? RunCommand)
            return try command.options.start().proxy.cluster
        }
        #expect(try cluster() == .api(ClientConnection(contentType: "application/vnd.kubernetes.protobuf", qps: 5, burst: 10)))
        #expect(
            try cluster(
                "--kubeconfig", "/k", "--master=https://a:1", "--kube-api-content-type=application/json", "--kube-api-qps=-1",
                "--kube-api-burst", "20")
                == .api(ClientConnection(kubeconfig: "/k", master: "https://a:1", contentType: "application/json", qps: -1, burst: 20)))
        for invalid in [
            ["--manifests=m", "--kubeconfig=k"], ["--manifests=m", "--master=https://a"], ["--kube-api-content-type=application/yaml"],
            ["--kube-api-burst=-1"], ["--manifests="],
        ] {
            let command = try #require(try KubeIPVSProxy.parseAsRoot(GoStyleArguments.normalized(invalid)) as? RunCommand)
            let failure = #expect(throws: StartConfigurationError.self) { try command.options.start() }
            #expect((failure?.error as? ConfigurationError)?.flags.count == 1, "\(invalid)")
        }
    }

    @Test func `may have an empty value`() throws {
        let command = try #require(
            try KubeIPVSProxy.parseAsRoot(GoStyleArguments.normalized(["--cluster-cidr=", "--manifests=m"])) as? RunCommand)
        #expect(try command.options.start().proxy.localTraffic == .clusterCIDR([]))
    }

    @Test(arguments: [["--no-such-flag"], ["--masquerade-all=perhaps"], ["surplus"], ["--iptables-masquerade-bit=x"]])
    func `that are invalid are refused`(arguments: [String]) {
        #expect(throws: (any Error).self) { try KubeIPVSProxy.parseAsRoot(GoStyleArguments.normalized(arguments)) }
    }
}

@Suite struct `A printed plan` {
    @Test func `shows the equivalent commands`() throws {
        let address = try #require(IPAddress("10.96.0.1"))
        let identity = VirtualServer.Identity(.udp, AddressPort(address, 53))
        let server = RealServer(AddressPort(try #require(IPAddress("10.244.0.2")), 5353))
        let origin = ServiceOrigin(service: NamespacedName(namespace: "kube-system", name: "kube-dns"), portName: "dns", kind: .clusterIP)
        let operations: [(Operation, String)] = [
            (.addVirtualServer(VirtualServer(identity, flags: [.persistent], timeout: 10)), "ipvsadm -A -u 10.96.0.1:53 -s rr -p 10"),
            (
                .addVirtualServer(VirtualServer(identity, scheduler: .maglevHash, flags: [.hashPort, .hashFallback])),
                "ipvsadm -A -u 10.96.0.1:53 -s mh -b mh-fallback,mh-port"
            ),
            (.addRealServer(identity, server), "ipvsadm -a -u 10.96.0.1:53 -r 10.244.0.2:5353 -m -w 1"),
            (.deleteRealServer(identity, server.location), "ipvsadm -d -u 10.96.0.1:53 -r 10.244.0.2:5353"),
            (.deleteVirtualServer(identity), "ipvsadm -D -u 10.96.0.1:53"),
            (.bind(address, origin), "ip address add 10.96.0.1/32 dev kube-ipvs0"),
            (
                .addMember(AddressSet.Name("KUBE-CLUSTER-IP"), .addressPort(identity.location, .udp), origin),
                "ipset add KUBE-CLUSTER-IP 10.96.0.1,udp:53"
            ),
            (.flushConntrack(identity, except: []), "conntrack -D -p udp --orig-dst 10.96.0.1 --orig-port-dst 53"),
            (
                .flushConntrack(identity, except: [server.location]),
                "conntrack -D -p udp --orig-dst 10.96.0.1 --orig-port-dst 53 (except entries answered by its 1 real servers)"
            ),
            (.createDevice, "ip link add kube-ipvs0 type dummy"),
            (.setDeviceUp, "ip link set kube-ipvs0 addrgenmode none && ip link set kube-ipvs0 up"),
            (
                .addRoute(address, LocalRoute(source: IPAddress(v4: 0x0a63_0002), origin: origin)),
                "ip route replace local 10.96.0.1/32 dev kube-ipvs0 table local proto 118 metric 118 scope host src 10.99.0.2"
            ),
            (.removeRoute(address), "ip route delete local 10.96.0.1/32 dev kube-ipvs0 table local proto 118 metric 118"),
        ]
        for (operation, command) in operations { #expect(operation.command == command) }
    }
}

@Suite struct `The error of a proxy that does not answer` {
    @Test func `is one line, whatever its socket answers`() {
        let error = ProxySocketError(path: "/run/p/status.sock", reason: "500: \u{1b}[2J\nError: forged")
        #expect("\(error)" == #"no proxy answers on /run/p/status.sock: 500: \u{1b}[2J\u{a}Error: forged"#)
    }
}
