import Foundation
import TestSupport
import Testing

@testable import KubeProxyConfiguration

@Suite struct `Arbitrary text` {
    private func sample(_ name: String) throws -> [UInt8] {
        let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/kube-proxy-1.36-configuration")
        return [UInt8](try Data(contentsOf: fixtures.appending(path: name)))
    }

    /// Reads, merges, validates and writes: the result is an error or a configuration, never a crash.
    private func exercise(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let document = try? KubeProxyConfiguration.read(text),
            let effective = try? KubeProxyConfiguration.effective(file: document.configuration, flags: FlagValues())
        else { return }
        _ = effective.validate()
        _ = effective.json
        let reread = (try? effective.yaml).flatMap { try? KubeProxyConfiguration.read($0).configuration }
        #expect(reread == effective)
    }

    @Test func `causes no crash if it is a corrupted file`() throws {
        var generator = SeededGenerator(seed: 5)
        for name in ["file-kubeadm/config.yaml", "ipvs-flags-all/effective.yaml", "file-unknown-field/config.yaml", "bad-many/config.yaml"]
        {
            let original = try sample(name)
            for _ in 0..<300 {
                var bytes = original
                for _ in 0..<Int.random(in: 1...6, using: &generator) {
                    let place = Int.random(in: 0..<bytes.count, using: &generator)
                    switch Int.random(in: 0..<4, using: &generator) {
                    case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                    case 1: bytes.remove(at: place)
                    case 2: bytes.insert(Array("\n:-{}[]&*!'\"#|>%@`0a ".utf8).randomElement(using: &generator) ?? 0, at: place)
                    default: bytes.insert(contentsOf: bytes[place..<min(place + 30, bytes.count)], at: place)
                    }
                }
                exercise(bytes)
            }
        }
    }

    @Test func `causes no crash if it is random`() {
        var generator = SeededGenerator(seed: 6)
        for _ in 0..<500 { exercise((0..<Int.random(in: 0...200, using: &generator)).map { _ in .random(in: 0...255, using: &generator) }) }
    }

    @Test func `is read in bounded time if keys repeat`() {
        let header = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
        exercise(Array((header + String(repeating: "mode: ipvs\n", count: 50)).utf8))
        #expect(throws: KubeProxyConfiguration.DecodingError.self) {
            try KubeProxyConfiguration.read(header + String(repeating: "mode: ipvs\n", count: 5000))
        }
        #expect(throws: KubeProxyConfiguration.DecodingError.self) {
            try KubeProxyConfiguration.read(String(repeating: "[", count: 100_000))
        }
    }

    @Test func `stays the same when written and read again`() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<200 {
            let configuration = random(&generator)
            #expect(try KubeProxyConfiguration.read(configuration.yaml).configuration == configuration)
            #expect(try KubeProxyConfiguration.read(configuration.json).configuration == configuration)
        }
    }

    @Test func `in an error is one line`() throws {
        let hostile = "x\u{1b}[2J\u{85}y"
        let unknown = try #require(throws: KubeProxyConfiguration.DecodingError.self) {
            try KubeProxyConfiguration.read("{kind: \"x\\ny\\e\", apiVersion: v1}")
        }
        #expect(!unknown.description.unicodeScalars.contains { $0.properties.generalCategory == .control })
        var flags = FlagValues()
        flags.drainTimeout = hostile
        flags.hostnameOverride = "node1"
        let refused = try #require(throws: ConfigurationError.self) { try ProxyConfiguration(flags, hostname: "node1") }
        #expect(refused.description.contains(#"invalid value "x\u{1b}[2J\u{85}y""#))
        var configuration = KubeProxyConfiguration().defaulted()
        configuration.healthzBindAddress = "\u{9b}2J:1"
        let fields = configuration.validate().map(\.description).joined()
        #expect(fields.contains(#"\u009b2J"#) && !fields.contains("\u{9b}"))
    }

    private func random(_ generator: inout SeededGenerator) -> KubeProxyConfiguration {
        let words = [
            "", "a", "true", "null", "~", "10", "1.5", "::", "a: b", "- x", "'", "\"", "é", "a\nb", " x ", "#", "0x1f", "1:2", "<<", "y",
        ]
        func word() -> String { words.randomElement(using: &generator) ?? "" }
        func duration() -> GoDuration { GoDuration(nanoseconds: .random(in: -(1 << 60)...(1 << 60), using: &generator)) }
        var result = KubeProxyConfiguration()
        (result.packetFilter, result.serviceAddresses) = (word(), word())
        result.featureGates = Bool.random(using: &generator) ? [word(): true, "B": false] : [:]
        (result.clientConnection.kubeconfig, result.clientConnection.qps) = (word(), .random(in: -10...10, using: &generator))
        result.clientConnection.burst = .random(in: .min ... .max, using: &generator)
        (result.hostnameOverride, result.bindAddress, result.mode, result.clusterCIDR) = (word(), word(), word(), word())
        (result.ipvs.syncPeriod, result.ipvs.tcpTimeout, result.configSyncPeriod) = (duration(), duration(), duration())
        result.ipvs.excludeCIDRs = Bool.random(using: &generator) ? [word(), word()] : nil
        result.nodePortAddresses = Bool.random(using: &generator) ? [] : nil
        result.conntrack.tcpEstablishedTimeout = Bool.random(using: &generator) ? duration() : nil
        result.oomScoreAdj = Bool.random(using: &generator) ? .random(in: .min ... .max, using: &generator) : nil
        result.logging.vmodule = [.init(filePattern: word(), verbosity: .random(in: .min ... .max, using: &generator))]
        (result.logging.format, result.windowsRunAsService) = (word(), .random(using: &generator))
        return result
    }
}
