import Kubernetes
import Logging
import Model
import Text

@testable import KernelDataplane
@testable import KubeProxyConfiguration
@testable import KubernetesAPI
@testable import Manifests
@testable import StatusTable
@testable import YAML

extension FuzzTarget {
    static let yaml = FuzzTarget("yaml") { bytes in
        var choices = Choices(bytes)
        let words = choices.choice([YAMLValue.PlainWords.typed, .text])
        let text = choices.text
        let pieces = YAMLDocumentSequence.split(text)
        try require(pieces.reduce(0) { $0 + $1.text.utf8.count } <= text.utf8.count, "documents are longer than their file")
        do {
            let value = try YAMLValue(yaml: text, plainWords: words)
            guard words == .typed else { return }
            // The emitter may refuse what it cannot write.
            guard let written = try? value.yaml else { return }
            let again = try YAMLValue(yaml: written)
            try require(again.withoutLines == value.withoutLines, "\(value) is written as \(written.debugDescription)")
        } catch let error as YAMLSyntaxError {
            try requirePrintable(error.description, "an error")
        }
    }

    /// A file of manifests, in YAML or JSON, from its bytes to the state of the kernel.
    static let manifest = FuzzTarget("manifest") { bytes in
        var choices = Choices(bytes)
        let file = choices.choice(["a.yaml", "a.json"])
        let reading = ManifestReading(Array(choices.rest), file: file)
        for problem in reading.problems + reading.warnings { try requirePrintable(problem.description, "a problem") }
        var store = ManifestStore()
        var controlPlane = ManifestControlPlane()
        let outcome = controlPlane.apply(store.replace([file: reading.objects]).changes)
        try FuzzedCluster.translate(outcome.changes)
        // Without the file, nothing is left.
        var cluster = ClusterState()
        for change in outcome.changes { cluster.apply(change) }
        for change in controlPlane.apply(store.replace([file: nil]).changes).changes { cluster.apply(change) }
        try require(cluster.services.isEmpty && cluster.slices.isEmpty, "objects stay after their file: \(cluster.services.keys)")
    }

    static let kubeconfig = FuzzTarget("kubeconfig") { bytes in
        var choices = Choices(bytes)
        let kind = choices.byte() % 4
        let text = choices.text
        do {
            switch kind {
            case 0, 1:
                let kubeconfig = try Kubeconfig(Array(choices.rest), source: "kubeconfig /k", folder: "/nonexistent")
                let access = try kubeconfig.access()
                try rewrite(access.server)
            case 2:
                let credential = try ExecCredential(json: Array(choices.rest), of: ExecPlugin(command: "/plugin"))
                try require(credential.token != nil || credential.certificate != nil, "a credential without any")
            default:
                if let server = ServerAddress(text) { try rewrite(server) }
                _ = PEM.isIn(Array(choices.rest))
                let shown = ProxyAddress.withoutSecrets(text)
                if let proxy = try? ProxyAddress(text), let password = proxy.password, password.count > 8 {
                    try require(!shown.contains(password), "\(shown) contains the password")
                }
                let environment = ProxyEnvironment(["HTTPS_PROXY": text, "NO_PROXY": text])
                _ = try environment.proxy(for: ServerAddress(isSecure: true, host: "10.96.0.1", port: 443))
            }
        } catch let error as AccessError {
            try requirePrintable(error.description, "an error")
        }
    }

    private static func rewrite(_ server: ServerAddress) throws {
        let again = ServerAddress(server.description)
        try require(again?.host == server.host && again?.port == server.port, "\(server) is read as \(String(describing: again))")
    }

    /// KubeProxyConfiguration, from its text to the settings.
    static let configuration = FuzzTarget("configuration") { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        do {
            let document = try KubeProxyConfiguration.read(text)
            // It is logged, as kube-proxy's with its lines.
            if let error = document.strictError { try requirePrintable(error.goQuoted, "an error") }
            let written = document.configuration.json
            let again = try KubeProxyConfiguration.read(written).configuration
            try require(again == document.configuration, "\(document.configuration) is written as \(written)")
            let effective = try KubeProxyConfiguration.effective(file: document.configuration, flags: FlagValues())
            let proxy = try ProxyConfiguration(effective, FlagValues(), hostname: "node1")
            _ = proxy.translationSettings(families: [.ipv4, .ipv6], hasRandomFully: true)
        } catch let error as KubeProxyConfiguration.DecodingError {
            try requirePrintable(error.description, "an error")
        } catch let error as ConfigurationError {
            for line in error.description.split(separator: "\n") { try requirePrintable(String(line), "an error") }
        }
    }

    /// Short texts: of flags, annotations, selectors, settings of the kernel, /proc.
    static let texts = FuzzTarget("texts") { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        if let duration = GoDuration(text) {
            try require(GoDuration(duration.description) == duration, "the duration \(text) is written as \(duration)")
            try require(GoDuration(duration.duration) == duration, "the duration \(text) is \(duration.duration)")
        }
        if let location = HostPort(text) {
            try require(HostPort("[\(location.host)]:\(location.port)") == location, "\(text) is \(location)")
        }
        if let address = IPAddress(text) {
            try require(IPAddress(address.description) == address, "the address \(text) is written as \(address)")
            try require(IPAddress(bytes: address.bytes) == address, "the address \(text) has the bytes \(address.bytes)")
        }
        if let range = CIDR(text) {
            try require(CIDR(range.description) == range, "the range \(text) is written as \(range)")
            try require(range.contains(range.address), "\(range) does not contain its address")
        }
        if let time = Time(text) { _ = "\(time)" }
        do {
            _ = try LabelSelector(text).matches(Labels(["app": "web"]))
        } catch {
            try requirePrintable("\(error)", "an error")
        }
        for annotation in [NameSyntax.isLabel(text), NameSyntax.isSubdomain(text), NameSyntax.isQualifiedName(text)] where annotation {
            try requirePrintable(text, "a valid name")
        }
        if let timeouts = IPVSTimeouts(seconds: text) {
            try require(IPVSTimeouts(seconds: timeouts.seconds) == timeouts, "the timeouts \(text) are written as \(timeouts.seconds)")
        }
        _ = UserNamespace.isInitial(uidMap: text)
        _ = OtherProxies.isKubeProxy(text.split(separator: "\0").map(String.init))
        for line in text.split(separator: "\n").prefix(16) {
            _ = IPVSConnection(line)?.text(withEngines: true)
        }
        _ = ContentType(header: text)
        // Go's %q and JSON are one line.
        try requirePrintable(text.goQuoted, "a quoted text")
    }
}

extension YAMLValue {
    /// The value without the lines of its keys and their order, which is not kept.
    fileprivate var withoutLines: YAMLValue {
        switch self {
        case .null, .boolean, .number, .text: self
        case .list(let values): .list(values.map(\.withoutLines))
        case .mapping(let entries): .mapping(entries.sorted { $0.key < $1.key }.map { Entry(key: $0.key, value: $0.value.withoutLines) })
        }
    }
}
