import ArgumentParser
import Foundation
import Kubernetes
import KubeProxyConfiguration
import Model
import Testing

@testable import kube_ipvs_proxy

/// Flags and a file with kube-proxy's recorded result: `Tests/Fixtures/kube-proxy-1.36-configuration/<name>`.
private struct ConfigurationCase: CustomTestStringConvertible {
    let folder: URL
    var testDescription: String { folder.lastPathComponent }

    static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/kube-proxy-1.36-configuration")

    static let all: [ConfigurationCase] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: fixtures.path(percentEncoded: false))) ?? []
        return names.filter { !$0.contains(".") }.sorted().map { ConfigurationCase(folder: fixtures.appending(path: $0)) }
    }()

    func text(_ file: String) throws -> String {
        try String(contentsOf: folder.appending(path: file), encoding: .utf8)
    }

    /// The flags, with the full path of the file.
    func arguments() throws -> [String] {
        try text("args").split(whereSeparator: \.isWhitespace).map { word in
            word == "config.yaml" ? folder.appending(path: "config.yaml").path(percentEncoded: false) : String(word)
        }
    }

    /// The error that kube-proxy reported, unquoted.
    func kubeProxyError() throws -> String {
        let text = try text("stderr")
        let start = try #require(text.range(of: "err=\"")).upperBound
        let end = try #require(text.lastIndex(of: "\""))
        return String(text[start..<end].replacing("\\\"", with: "\""))
    }
}

/// Error texts that differ from kube-proxy's on purpose.
private let intendedDifferences: [String: (theirs: String, ours: String, why: String)] = [
    "bad-kind": (
        " in scheme \"pkg/proxy/apis/config/scheme/scheme.go:29\"",
        ": must be KubeProxyConfiguration of kubeproxy.config.k8s.io/v1alpha1",
        "the expected kind helps the user, a location in kube-proxy's source does not"
    ),
    "bad-version": (
        " in scheme \"pkg/proxy/apis/config/scheme/scheme.go:29\"",
        ": must be KubeProxyConfiguration of kubeproxy.config.k8s.io/v1alpha1", "the same"
    ),
]

private func startProgram(_ arguments: [String]) throws -> StartConfiguration {
    let command = try #require(try KubeIPVSProxy.parseAsRoot(GoStyleArguments.normalized(arguments)) as? RunCommand)
    return try command.options.start(isForWriting: true)
}

@Suite struct `Flags and files` {
    @Test(arguments: ConfigurationCase.all) fileprivate func `give the same configuration or error as with kube-proxy 1.36`(
        _ given: ConfigurationCase
    ) throws {
        if try given.text("exit").hasPrefix("0") {
            let start = try startProgram(try given.arguments())
            #expect(try start.effective.yaml == given.text("effective.yaml"))
            return
        }
        let failure = #expect(throws: StartConfigurationError.self) { try startProgram(try given.arguments()) }
        var expected = try given.kubeProxyError()
        if let difference = intendedDifferences[given.testDescription] {
            #expect(expected.contains(difference.theirs))
            expected = expected.replacing(difference.theirs, with: difference.ours)
        }
        #expect(failure.map { "\($0.error)" } == expected)
    }

    @Test func `cover all recorded cases`() { #expect(ConfigurationCase.all.count == 14) }

    @Test func `that strict decoding refuses are reported with kube-proxy's text`() throws {
        let given = ConfigurationCase(folder: ConfigurationCase.fixtures.appending(path: "file-unknown-field"))
        let document = try KubeProxyConfiguration.read(try given.text("config.yaml"))
        let theirs = try given.text("stderr").split(separator: "\n").map { $0.drop { $0 == "\t" } }
        let ours = try #require(document.strictError).split(separator: "\n").map(String.init)
        #expect(theirs[0] == ours[0] && theirs[1].drop { $0 == " " } == ours[1].drop { $0 == " " })
    }

    @Test func `M14: are shown by configz with group, version and kind, in kube-proxy's order`() throws {
        let effective = try startProgram([
            "--proxy-mode=ipvs", "--v=2", "--profiling", "--hostname-override=node1", "--kubeconfig=/var/lib/kube-proxy/kubeconfig",
            "--cluster-cidr=10.244.0.0/16,fd00:244::/32",
        ]).effective
        let theirs = try String(contentsOf: ConfigurationCase.fixtures.appending(path: "configz.json"), encoding: .utf8)
        #expect("{\"kubeproxy.config.k8s.io\":\(effective.json)}\n" == theirs)
    }

    @Test(arguments: ["defaults-ipvs-flags", "ipvs-flags-all", "file-kubeadm"]) func `stay the same when written and read again`(
        name: String
    )
        throws
    {
        let given = ConfigurationCase(folder: ConfigurationCase.fixtures.appending(path: name))
        let written = folder("\(name).yaml")
        try given.text("effective.yaml").write(to: written, atomically: true, encoding: .utf8)
        defer { remove(written) }
        var reread = try startProgram(["--config", written.path(percentEncoded: false)]).effective
        // Unset, it is 0 in a file and a second on the command line.
        if name == "defaults-ipvs-flags" { reread.ipvs.minSyncPeriod = .seconds(1) }
        #expect(try reread.yaml == given.text("effective.yaml"))
    }

    private func folder(_ name: String) -> URL {
        FileManager.default.temporaryDirectory.appending(path: "\(UInt64.random(in: 0 ... .max))-\(name)")
    }

    private func remove(_ file: URL) {
        // Leftover temporary files are harmless.
        try? FileManager.default.removeItem(at: file)
    }
}

@Suite struct `A command line of kube-proxy` {
    /// Every flag of kube-proxy 1.36 on Linux except --config.
    private static let everything = [
        "--bind-address=0.0.0.0", "--bind-address-hard-fail", "--boot-id-file=/proc/sys/kernel/random/boot_id", "--cleanup=false",
        "--cluster-cidr=10.244.0.0/16", "--config-sync-period=15m0s", "--conntrack-max-per-core=32768", "--conntrack-min=131072",
        "--conntrack-tcp-be-liberal=false", "--conntrack-tcp-timeout-close-wait=1h0m0s", "--conntrack-tcp-timeout-established=24h0m0s",
        "--conntrack-udp-timeout=0s", "--conntrack-udp-timeout-stream=0s", "--detect-local-mode=ClusterCIDR",
        "--healthz-bind-address=0.0.0.0:10256", "--healthz-port=10256", "--hostname-override=node1", "--init-only=false",
        "--iptables-localhost-nodeports=true", "--iptables-masquerade-bit=14", "--iptables-min-sync-period=1s",
        "--iptables-sync-period=30s", "--ipvs-exclude-cidrs=", "--ipvs-min-sync-period=1s", "--ipvs-scheduler=", "--ipvs-strict-arp=false",
        "--ipvs-sync-period=30s", "--ipvs-tcp-timeout=0s", "--ipvs-tcpfin-timeout=0s", "--ipvs-udp-timeout=0s", "--kube-api-burst=10",
        "--kube-api-content-type=application/vnd.kubernetes.protobuf", "--kube-api-qps=5", "--kubeconfig=/k", "--log-flush-frequency=5s",
        "--log-json-info-buffer-size=0", "--log-json-split-stream=false", "--log-text-info-buffer-size=0", "--log-text-split-stream=false",
        "--logging-format=text", "--machine-id-file=/etc/machine-id,/var/lib/dbus/machine-id", "--masquerade-all=false", "--master=",
        "--metrics-bind-address=127.0.0.1:10249", "--metrics-port=10249", "--nodeport-addresses=", "--oom-score-adj=-999",
        "--pod-bridge-interface=", "--pod-interface-name-prefix=", "--profiling=true", "--proxy-mode=ipvs",
        "--show-hidden-metrics-for-version=", "--v=2", "--version=false", "--vmodule=", "--write-config-to=",
    ]

    @Test func `is accepted flag by flag and all at once`() throws {
        let effective = try startProgram(Self.everything).effective
        #expect(effective.hostnameOverride == "node1" && effective.logging.verbosity == 2 && effective.enableProfiling)
        for flag in Self.everything { _ = try startProgram([flag]) }
    }

    @Test func `may have negative numbers as separate arguments, and underscores`() throws {
        let effective = try startProgram(["--oom_score_adj", "-500", "--kube-api-qps", "-1"]).effective
        #expect(effective.oomScoreAdj == -500 && effective.clientConnection.qps == -1)
    }

    @Test(arguments: [
        ["--oom-score-adj=x"], ["--ipvs-sync-period=30"], ["--conntrack-min=1.5"], ["--profiling=perhaps"], ["--healthz-port=99999999999"],
        ["surplus"],
    ])
    func `with an invalid value is refused`(arguments: [String]) {
        #expect(throws: (any Error).self) { try KubeIPVSProxy.parseAsRoot(GoStyleArguments.normalized(arguments)) }
    }

    @Test func `with deprecated flags causes warnings`() throws {
        let command = try #require(try KubeIPVSProxy.parseAsRoot(["--healthz-port=0", "--metrics-port=1"]) as? RunCommand)
        #expect(
            command.options.servers.deprecations.first
                == "Flag --healthz-port has been deprecated, This flag is deprecated and will be removed in a future release. Please use --healthz-bind-address instead."
        )
        #expect(command.options.servers.deprecations.count == 2)
    }

    @Test(
        arguments: [
            ([], nil), (["--version"], "kube-ipvs-proxy 0.1.0"), (["--version=true"], "kube-ipvs-proxy 0.1.0"), (["--version=false"], nil),
            (["--", "--version"], nil),
        ] as [([String], String?)])
    func `prints the version if it has --version`(arguments: [String], expected: String?) {
        #expect(VersionFlag(arguments).text == expected)
        #expect(VersionFlag(["--version=raw"]).text?.contains("GitVersion:\"v0.1.0\"") == true)
    }
}

@Suite struct `The file of --config` {
    private func start(_ text: String, _ flags: String...) throws -> StartConfiguration {
        let path = FileManager.default.temporaryDirectory.path(percentEncoded: false) + "/\(UInt64.random(in: 0 ... .max)).conf"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        defer {
            // Leftover temporary files are harmless.
            try? FileManager.default.removeItem(atPath: path)
        }
        return try startProgram(["--config", path] + flags)
    }

    private let header = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"

    @Test func `takes precedence over flags, except those for the host name, logging and this program only`() throws {
        let start = try start(
            header + "mode: ipvs\nhostnameOverride: foo\nipvs: {scheduler: lc}\n", "--ipvs-scheduler=wrr", "--masquerade-all",
            "--kubeconfig=/flag", "--hostname-override=BAR", "-v=7", "--drain-timeout=1m", "--master=https://m:1")
        #expect(start.proxy.scheduler.name == "lc" && !start.proxy.masqueradeAll && start.proxy.nodeName == "bar")
        #expect(start.effective.logging.verbosity == 7 && start.effective.clientConnection.kubeconfig.isEmpty)
        #expect(start.proxy.drainTimeout == .seconds(60))
        #expect(start.proxy.cluster == .api(ClientConnection(master: "https://m:1")))
    }

    @Test(arguments: ["", "mode: \"\"\n", "mode: iptables\n", "mode: nftables\n", "mode: kernelspace\n"])
    func `must set mode ipvs`(mode: String) throws {
        let failure = #expect(throws: StartConfigurationError.self) { try start(header + mode) }
        #expect(failure?.description.contains("KubeProxyConfiguration.Mode.ProxyMode") == true)
        #expect(failure?.description.contains("set mode: ipvs in the file, or --proxy-mode=ipvs") == true)
    }

    @Test func `is named in errors`() throws {
        let failure = #expect(throws: StartConfigurationError.self) { try start("nonsense") }
        #expect(failure?.description.contains(".conf: failed complete: failed to decode: ") == true)
    }
}
