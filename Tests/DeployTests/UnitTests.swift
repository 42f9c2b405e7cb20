import ArgumentParser
import KubeProxyConfiguration
import Kubernetes
import Testing
import YAML

@testable import kube_ipvs_proxy

@Suite struct `The systemd unit` {
    /// The values of a key in file order.
    private func values(_ key: String) throws -> [String] {
        try Deployment.text("systemd/kube-ipvs-proxy.service").split(separator: "\n").filter { $0.hasPrefix("\(key)=") }
            .map { String($0.dropFirst(key.count + 1)) }
    }

    @Test func `grants the same capabilities as the DaemonSet`() throws {
        let manifest = try YAMLValue(yaml: Deployment.text("kubernetes/base/daemonset.yaml"))
        let containers = manifest["spec"]["template"]["spec"]["containers"].items
        let pod = containers.flatMap { $0["securityContext"]["capabilities"]["add"].items.map { "CAP_\($0.text)" } }
        #expect(try values("CapabilityBoundingSet").flatMap { $0.split(separator: " ").map(String.init) } == pod)
    }

    @Test func `creates the program's state directory`() throws {
        #expect(try values("RuntimeDirectory").map { "/run/\($0)" } == [FlagValues().stateDirectory])
    }

    @Test func `and its environment file use only flags that the program knows`() throws {
        let file = try Deployment.text("systemd/kube-ipvs-proxy.default")
        let flags = try #require(file.firstMatch(of: /(?m)^KUBE_IPVS_PROXY_ARGS="(.*)"$/)).1.split(separator: " ").map(String.init)
        let commands = try values("ExecStartPre") + values("ExecStart")
        #expect(commands.count == 2)
        for (command, isInit) in zip(commands, [true, false]) {
            let words = command.split(separator: " ").map(String.init)
            #expect(words.last == "$KUBE_IPVS_PROXY_ARGS")
            #expect(words.first == (isInit ? "+" : "") + "/usr/bin/kube-ipvs-proxy", "only the init command may run with full privileges")
            let arguments = GoStyleArguments.normalized(Array(words.dropFirst().dropLast()) + flags)
            let parsed = try #require(try KubeIPVSProxy.parseAsRoot(arguments) as? RunCommand)
            #expect(parsed.initOnly.value == isInit && parsed.options.config == "/etc/kube-ipvs-proxy/config.conf")
        }
    }
}
