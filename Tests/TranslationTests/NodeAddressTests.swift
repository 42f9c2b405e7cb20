import Kubernetes
import Model
import Testing
import Translation

/// A host's addresses by interface, and those on which node ports answer.
private struct Host: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let interfaces: [String: [String]]
    var four: [String] = []
    var six: [String] = []

    init(_ name: String, _ interfaces: [String: [String]], four: [String] = [], six: [String] = []) {
        testDescription = name
        self.interfaces = interfaces
        self.four = four
        self.six = six
    }

    /// The addresses of all interfaces except our own.
    var localAddresses: [String] { interfaces.filter { $0.key != NodeState.deviceName }.values.flatMap(\.self) }
}

private let hosts = [
    Host("one interface", ["eth0": ["1.2.3.4"], "lo": ["127.0.0.1", "::1"]], four: ["1.2.3.4"]),
    Host("only loopback", ["lo": ["127.0.0.1"]]),
    Host("nothing", [:]),
    Host(
        "bridges count, link-local IPv6 does not",
        ["encap0": ["10.20.30.40", "fe80::200:ff:fe01:1"], "lo": ["127.0.0.1", "::1"], "docker0": ["172.17.0.1"]],
        four: ["10.20.30.40", "172.17.0.1"]),
    Host(
        "both families", ["encap7": ["1000::", "10.20.30.31"], "encap0": ["10.20.30.40"]], four: ["10.20.30.31", "10.20.30.40"],
        six: ["1000::"]),
    Host("our device does not count", ["kube-ipvs0": ["10.96.0.1", "fd00:96::1"], "eth5": ["3.4.5.6"]], four: ["3.4.5.6"]),
    Host("only our device", ["kube-ipvs0": ["10.96.0.1"]]),
    Host("a device with a similar name", ["ipvs0": ["10.20.30.40"], "kube-ipvs0": ["10.96.0.1"]], four: ["10.20.30.40"]),
    Host(
        "an address on our device and on another one", ["kube-ipvs0": ["2000::"], "eth0": ["1000::", "2000::"]], six: ["1000::", "2000::"]),
    Host("IPv4 link-local counts", ["eth0": ["169.254.0.0", "192.168.0.1", "8.8.8.8"]], four: ["169.254.0.0", "192.168.0.1", "8.8.8.8"]),
    Host("mapped addresses are IPv4's", ["eth0": ["::ffff:169.254.0.0"]], four: ["169.254.0.0"]),
]

/// Ranges of `--nodeport-addresses`, and the addresses of `rangedHost` on which node ports then answer.
private let choices: [(ranges: [String], four: [String], six: [String])] = {
    let (four, six) = (["10.20.30.51", "100.200.201.1"], ["2001:db8::1", "fd00:20::1"])
    return [
        ([], four, six), (["10.20.30.0/24"], ["10.20.30.51"], six), (["0.0.0.0/0"], four, six),
        (["2001:db8::/32", "::1/128"], four, ["2001:db8::1"]), (["::/0"], four, six),
        // kube-proxy in ipvs mode has no node ports on loopback either.
        (["127.0.0.1/32"], [], six), (["127.0.0.0/8"], [], six), (["10.20.30.0/24", "100.200.201.0/24"], four, six),
        (["10.0.10.0/24", "10.20.0.0/24"], [], six), (["2001:db9::/32"], four, []), (["0.0.0.0/0", "100.200.201.0/24"], four, six),
        (["::/0", "fd00:20::/64"], four, six), (["10.20.30.0/24", "fd00:20::/64"], ["10.20.30.51"], ["fd00:20::1"]),
        (["10.20.30.0/24", "::/0"], ["10.20.30.51"], six),
    ]
}()
private let rangedHost = ["127.0.0.1", "::1", "10.20.30.51", "100.200.201.1", "2001:db8::1", "fd00:20::1"]

@Suite struct `The addresses of a host` {
    private func answering(_ host: Host, clusterIP: String) -> [String] {
        let cluster = Cluster([.clusterIP("web", clusterIP, nodePort: 30080)], local: host.localAddresses)
        return cluster.translation.desired.virtualServers.keys.filter { $0.location.port == 30080 }.map(\.location.address).sorted()
            .map(\.description)
    }

    @Test(arguments: hosts) fileprivate func `answer node ports, except loopback, link-local IPv6 and our own device`(host: Host) {
        #expect(Set(answering(host, clusterIP: "10.20.30.41")) == Set(host.four))
        #expect(Set(answering(host, clusterIP: "2020::1")) == Set(host.six))
    }

    @Test(arguments: choices.indices) func `L1: answer node ports in the configured ranges, separately by family`(index: Int) {
        let (ranges, four, six) = choices[index]
        let settings = TranslationSettings(nodeName: "node1", nodePortAddresses: .ranges(ranges.compactMap { CIDR($0) }))
        let services = [Service.clusterIP("four", "10.96.0.1", nodePort: 30080), .clusterIP("six", "fd00:96::1", nodePort: 30080)]
        let cluster = Cluster(services, settings: settings, local: rangedHost)
        let answering = cluster.translation.desired.virtualServers.keys.filter { $0.location.port == 30080 }.map(\.location.address)
        #expect(Set(answering.map(\.description)) == Set(four + six), "\(ranges)")
    }
}
