import ArgumentParser
import KubeProxyConfiguration
import Kubernetes
import Model
import Testing
import YAML

@testable import kube_ipvs_proxy

/// The objects deployed on a cluster, and those they rely on.
private struct Objects {
    var all: [YAMLValue]
    /// Objects that the cluster already has: `Kind/name`.
    var existing: Set<String> = []
    /// Whether the image has iptables.
    var hasIPTables = true

    func of(_ kind: String) -> [YAMLValue] { all.filter { $0["kind"].text == kind } }

    func has(_ kind: String, _ name: String) -> Bool {
        existing.contains("\(kind)/\(name)") || of(kind).contains { $0["metadata"]["name"].text == name }
    }

    var daemonSet: YAMLValue { of("DaemonSet").first ?? .null }
    var pod: YAMLValue { daemonSet["spec"]["template"]["spec"] }
    var containers: [YAMLValue] { pod["initContainers"].items + pod["containers"].items }
}

@Suite struct `The manifests` {
    /// The objects of the files, without kubectl.
    private func base() throws -> Objects {
        let files = try ["rbac.yaml", "daemonset.yaml"].flatMap { try Deployment.objects(in: Deployment.text("kubernetes/base/\($0)")) }
        return Objects(all: files, existing: ["ConfigMap/kube-ipvs-proxy"])
    }

    @Test func `of the base are consistent with each other and the program`() throws { try check(base()) }

    @Test(.enabled(if: Deployment.hasKubectl, "kubectl is not installed"), arguments: ["base", "kubeadm", "k3s"])
    func `rendered by kustomize are consistent with each other and the program`(folder: String) async throws {
        var objects = Objects(all: try await Deployment.rendered(folder))
        if folder == "kubeadm" { objects.existing = ["ServiceAccount/kube-proxy", "ConfigMap/kube-proxy"] }
        try check(objects)
        #expect(objects.all.allSatisfy { $0["kind"].text.hasPrefix("ClusterRole") || $0["metadata"]["namespace"].text == "kube-system" })
        for map in objects.of("ConfigMap") where map["data"]["config.conf"] != .null {
            try checkConfiguration(map["data"]["config.conf"].text)
        }
    }

    @Test(.enabled(if: Deployment.hasKubectl, "kubectl is not installed"), arguments: ["base", "kubeadm", "k3s"])
    func `with the component nftables use no iptables, and need only NET_ADMIN`(folder: String) async throws {
        var objects = Objects(all: try await Deployment.rendered(folder, with: ["nftables"]), hasIPTables: false)
        if folder == "kubeadm" { objects.existing = ["ServiceAccount/kube-proxy", "ConfigMap/kube-proxy"] }
        try check(objects)
        for container in objects.containers {
            #expect(container["args"].items.map(\.text).last == "--packet-filter=nftables")
        }
        #expect(objects.pod["containers"].items.map { $0["securityContext"]["capabilities"]["add"].items.map(\.text) } == [["NET_ADMIN"]])
        // Otherwise nothing differs.
        let usual = Objects(all: try await Deployment.rendered(folder))
        #expect(objects.all.filter { $0["kind"].text != "DaemonSet" } == usual.all.filter { $0["kind"].text != "DaemonSet" })
        #expect(
            usual.pod["containers"].items.first?["securityContext"]["capabilities"]["add"].items.map(\.text) == ["NET_ADMIN", "NET_RAW"])
    }

    @Test(.enabled(if: Deployment.hasKubectl, "kubectl is not installed"), arguments: ["base", "kubeadm", "k3s"])
    func `run under a seccomp filter, with the component seccomp under that of the project`(folder: String) async throws {
        let usual = Objects(all: try await Deployment.rendered(folder))
        #expect(usual.pod["securityContext"]["seccompProfile"].texts == ["type": "RuntimeDefault"])
        var objects = Objects(all: try await Deployment.rendered(folder, with: ["seccomp"]))
        if folder == "kubeadm" { objects.existing = ["ServiceAccount/kube-proxy", "ConfigMap/kube-proxy"] }
        try check(objects)
        #expect(
            objects.pod["securityContext"]["seccompProfile"].texts == ["type": "Localhost", "localhostProfile": "kube-ipvs-proxy.json"])
    }

    @Test(.enabled(if: Deployment.hasKubectl, "kubectl is not installed"))
    func `for kubeadm are a single DaemonSet that replaces kube-proxy's`() async throws {
        let objects = Objects(all: try await Deployment.rendered("kubeadm"))
        #expect(objects.all.count == 1)
        #expect(objects.daemonSet["metadata"]["name"].text == "kube-proxy")
        #expect(objects.daemonSet["spec"]["selector"]["matchLabels"].texts == ["k8s-app": "kube-proxy"])
        #expect(objects.pod["containers"].items.map { $0["name"].text } == ["kube-proxy"])
        // The API server comes from kube-proxy's kubeconfig.
        #expect(objects.containers.allSatisfy { $0["envFrom"] == .null })
    }

    @Test(.enabled(if: Deployment.hasKubectl, "kubectl is not installed"))
    func `for k3s reach the API server without a Service`() async throws {
        let objects = Objects(all: try await Deployment.rendered("k3s"))
        let map = try #require(objects.of("ConfigMap").first { $0["metadata"]["name"].text == "kube-ipvs-proxy-api-server" })
        #expect(map["data"].texts == ["KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "6444"])
        for container in objects.containers {
            #expect(container["envFrom"].items.map { $0["configMapRef"]["name"].text } == ["kube-ipvs-proxy-api-server"])
        }
    }

    @Test(arguments: ["kubernetes/base/config.conf", "kubernetes/k3s/config.conf", "systemd/config.conf"])
    func `have configurations that strict decoding accepts`(path: String) throws { try checkConfiguration(Deployment.text(path)) }

    @Test func `grant exactly the permissions that the program uses`() throws {
        let role = try #require(try base().of("ClusterRole").first)
        var rights: [String: Set<String>] = [:]
        for rule in role["rules"].items {
            for group in rule["apiGroups"].items {
                for resource in rule["resources"].items {
                    rights["\(group.text)/\(resource.text)"] = Set(rule["verbs"].items.map(\.text))
                }
            }
        }
        #expect(
            rights == [
                "/services": ["list", "watch"], "/nodes": ["list", "watch"], "discovery.k8s.io/endpointslices": ["list", "watch"],
                "events.k8s.io/events": ["create", "patch"],
            ])
    }

    // MARK: Checks

    private func check(_ objects: Objects) throws {
        checkReferences(objects)
        checkMounts(objects)
        checkPrivileges(objects)
        checkProbes(objects)
        checkUpdates(objects)
        for container in objects.containers { try checkArguments(container) }
    }

    private func checkReferences(_ objects: Objects) {
        let (daemonSet, pod) = (objects.daemonSet, objects.pod)
        let labels = daemonSet["spec"]["template"]["metadata"]["labels"].texts
        #expect(!labels.isEmpty && daemonSet["spec"]["selector"]["matchLabels"].texts == labels)
        #expect(objects.has("ServiceAccount", pod["serviceAccountName"].text))
        for binding in objects.of("ClusterRoleBinding") {
            #expect(objects.has("ClusterRole", binding["roleRef"]["name"].text))
            for subject in binding["subjects"].items {
                #expect(subject["namespace"].text == "kube-system" && objects.has(subject["kind"].text, subject["name"].text))
            }
        }
        for volume in pod["volumes"].items where volume["configMap"] != .null {
            #expect(objects.has("ConfigMap", volume["configMap"]["name"].text))
        }
        let image = "localhost/kube-ipvs-proxy:\(programVersion)\(objects.hasIPTables ? "" : "-nftables")"
        #expect(objects.containers.map { $0["image"].text } == Array(repeating: image, count: 2))
    }

    private func checkMounts(_ objects: Objects) {
        let volumes = objects.pod["volumes"].items.map { $0["name"].text }
        let mounted = objects.containers.flatMap { $0["volumeMounts"].items.map { $0["name"].text } }
        #expect(Set(volumes) == Set(mounted), "every volume is mounted, every mount is a volume")
        for container in objects.containers {
            let paths = container["volumeMounts"].items.map { $0["mountPath"].text }
            // The root file system is read-only; the program writes here.
            #expect(paths.contains(FlagValues().stateDirectory))
            #expect(paths.contains("/run/xtables.lock") == objects.hasIPTables)
        }
    }

    private func checkPrivileges(_ objects: Objects) {
        let pod = objects.pod
        #expect(pod["hostNetwork"] == .boolean(true) && pod["priorityClassName"].text == "system-node-critical")
        #expect(pod["tolerations"].items.map(\.texts) == [["operator": "Exists"]])
        #expect(objects.containers.allSatisfy { $0["securityContext"]["readOnlyRootFilesystem"] == .boolean(true) })
        for container in pod["initContainers"].items {
            #expect(container["args"].items.map(\.text).contains("--init-only"), "only init containers may be privileged")
        }
        for container in pod["containers"].items {
            let context = container["securityContext"]
            #expect(context["privileged"] == .boolean(false) && context["allowPrivilegeEscalation"] == .boolean(false))
            #expect(context["capabilities"]["drop"].items.map(\.text) == ["ALL"])
        }
    }

    private func checkProbes(_ objects: Objects) {
        for container in objects.pod["containers"].items {
            // In the network of the host, the API server makes them host ports, and no second pod is scheduled on the node during an update.
            #expect(container["ports"] == .null)
            for (probe, path) in [("readinessProbe", "/healthz"), ("livenessProbe", "/livez")] {
                #expect(container[probe]["httpGet"].texts == ["path": path, "port": "10256"])
            }
        }
    }

    /// Checks that the new pod of a node is ready as standby before the old one is deleted.
    private func checkUpdates(_ objects: Objects) {
        // The probes of a new pod reach the server of the old one.
        #expect(objects.daemonSet["spec"]["minReadySeconds"].text == "30")
        let strategy = objects.daemonSet["spec"]["updateStrategy"]
        #expect(strategy["type"].text == "RollingUpdate")
        #expect(strategy["rollingUpdate"].texts == ["maxSurge": "1", "maxUnavailable": "0"])
    }

    /// Checks that the program knows every flag and reads its configuration from a mount.
    private func checkArguments(_ container: YAMLValue) throws {
        let arguments = container["args"].items.map(\.text)
        let command = try #require(try KubeIPVSProxy.parseAsRoot(GoStyleArguments.normalized(arguments)) as? RunCommand)
        #expect(command.options.hostnameOverride == "$(NODE_NAME)")
        #expect(container["env"].items.map { $0["name"].text } == ["NODE_NAME", "POD_NAME"])
        let folder = command.options.config.split(separator: "/").dropLast().joined(separator: "/")
        let mounts = container["volumeMounts"].items.map { $0["mountPath"].text }
        #expect(command.options.config.hasSuffix("/config.conf") && mounts.contains("/\(folder)"))
    }

    private func checkConfiguration(_ text: String) throws {
        let document = try KubeProxyConfiguration.read(text)
        #expect(document.strictError == nil)
        let flags = FlagValues()
        let effective = try KubeProxyConfiguration.effective(file: document.configuration, flags: flags)
        let configuration = try ProxyConfiguration(effective, flags, hostname: "node1")
        // The port of the DaemonSet's probes; otherwise the program's defaults.
        #expect(configuration.healthzBindAddress?.port == 10256)
        let defaults = try ProxyConfiguration(FlagValues(), hostname: "node1")
        #expect(configuration.healthzBindAddress == defaults.healthzBindAddress)
        #expect(configuration.metricsBindAddress == defaults.metricsBindAddress)
        #expect(configuration.localTraffic != defaults.localTraffic, "it configures how local traffic is detected")
    }
}
