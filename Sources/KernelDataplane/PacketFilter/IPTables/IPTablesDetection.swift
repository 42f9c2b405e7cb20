internal import Model

/// Detects the iptables programs of this node.
///
/// A temporary failure never decides which backend the node uses, which families it has, or which features its iptables has.
struct Detection {
    /// Runs a program that changes nothing: its name, arguments and input.
    var runCommand: (String, [String], String) async -> Command.Attempt = { await Command.attempt($0, $1, input: $2) }

    /// Chains that the kubelet creates in its backend, so that other components use the same one (KEP-3178).
    private static let hints = [":KUBE-IPTABLES-HINT ", ":KUBE-KUBELET-CANARY "]

    /// - Parameters:
    ///   - families: the families to test.
    ///   - testingRules: whether to test the kernel with a chain; if false, only runs the programs.
    func find(_ choice: IPTables.Backend?, families: Set<IPFamily>, testingRules: Bool) async throws(DataplaneError) -> IPTables {
        var refusals: [String] = []
        // It decides only if no backend is requested.
        let plain: IPTables.Backend?? = choice == nil ? .some(try await backendOfPlainName()) : nil
        for backend in try await order(choice, plain: plain ?? nil) {
            switch try await find(backend, families: families, plain: plain, testingRules: testingRules) {
            case .found(var iptables):
                iptables.skipped = refusals
                return iptables
            case .unavailable(let reason): refusals.append("\(backend.rawValue): \(reason)")
            }
        }
        throw DataplaneError(
            "iptables",
            "no working nat table (\(refusals.joined(separator: "; "))): install iptables (apt-get install iptables), run as root, and load the kernel module iptable_nat or nft_chain_nat"
        )
    }

    /// The state of one backend on this node.
    enum Finding {
        case found(IPTables)
        /// It works for no family, or was refused; the reason is that of the last family.
        case unavailable(String)
    }

    func find(_ backend: IPTables.Backend, families: Set<IPFamily>, testingRules: Bool) async throws(DataplaneError) -> Finding {
        try await find(backend, families: families, plain: nil, testingRules: testingRules)
    }

    /// - Parameter plain: the backend of the names without a suffix; nil if it is not known yet. Most nodes do not need these names.
    private func find(
        _ backend: IPTables.Backend, families: Set<IPFamily>, plain: IPTables.Backend??, testingRules: Bool
    ) async throws(DataplaneError) -> Finding {
        var plain = plain
        var version: String?
        var prefixes: [IPFamily: String] = [:]
        var reasons: [IPFamily: String] = [:]
        var standardError = "not found"
        for family in IPFamily.allCases where families.contains(family) {
            // The names with the suffix come first; some distributions have only the ones without.
            for hasSuffix in [true, false] where prefixes[family] == nil {
                let name = family == .ipv4 ? "iptables" : "ip6tables"
                if !hasSuffix {
                    if plain == nil { plain = .some(try await backendOfPlainName()) }
                    guard plain == .some(backend) else { continue }
                }
                let prefix = hasSuffix ? "\(name)-\(backend.rawValue)" : name
                let verdict: IPTablesResult
                if testingRules {
                    verdict = await TableTest(runCommand: runCommand).verdict(prefix, .nat)
                } else {
                    let attempt = await runCommand(prefix, ["--version"], "")
                    verdict = IPTablesResult(attempt)
                    if case .ran(let result) = attempt { version = result.output }
                }
                switch verdict {
                case .works: prefixes[family] = prefix
                case .unavailable(let reason):
                    standardError = reason == "not found" ? standardError : reason
                    if reason != "not found" || reasons[family] == nil { reasons[family] = "\(prefix): \(reason)" }
                // Refused for one family means refused for all, as the node has both.
                case .refused(let reason): return .unavailable(reason)
                case .inconclusive(let reason), .unexplained(let reason): throw DataplaneError(prefix, reason, isTemporary: true)
                }
            }
        }
        guard let prefix = prefixes.values.min() else { return .unavailable(standardError) }
        // Both families are programs of one package.
        let hasRandomFully =
            if let version { Detection.isAtLeast1_6_2(version) } else { try await hasRandomFully(prefix) }
        var iptables = IPTables(backend: backend, hasRandomFully: hasRandomFully, prefixes: prefixes)
        for (family, reason) in reasons where prefixes[family] == nil {
            iptables.unavailable[family] = "\(reason): \(Detection.advice(reason, family, backend))"
        }
        return .found(iptables)
    }

    private static func advice(_ reason: String, _ family: IPFamily, _ backend: IPTables.Backend) -> String {
        reason.hasSuffix(": not found")
            ? "install iptables (apt-get install iptables)" : ModuleLoading.advice(RulePart.table(.nat).module(family, backend))
    }

    /// The backends in order of preference: the kubelet's hint chain, rules of a node proxy, the unsuffixed name.
    private func order(_ choice: IPTables.Backend?, plain: IPTables.Backend?) async throws(DataplaneError) -> [IPTables.Backend] {
        if let choice { return [choice] }
        var saved: [IPTables.Backend: String] = [:]
        for backend in IPTables.Backend.allCases {
            let program = "iptables-\(backend.rawValue)-save"
            let attempt = await runCommand(program, [], "")
            switch IPTablesResult(attempt) {
            case .works: if case .ran(let result) = attempt { saved[backend] = result.output }
            // Without rules, or unusable: if it matters, the test that follows reports it.
            case .unavailable, .refused, .unexplained: continue
            // A listing that ends at an unsupported rule still has the chains before it.
            case .inconclusive(let reason):
                if case .ran(let result) = attempt, !result.output.isEmpty, !IPTablesResult.isTemporary(result) {
                    saved[backend] = result.output
                } else {
                    throw DataplaneError(
                        program, "\(reason); set --iptables-backend to legacy or nft to start without it", isTemporary: true)
                }
            }
        }
        for signs in [Detection.hints, [":KUBE-POSTROUTING "]] {
            for backend in [IPTables.Backend.nft, .legacy] where signs.contains(where: { saved[backend]?.contains($0) == true }) {
                return [backend] + IPTables.Backend.allCases.filter { $0 != backend }
            }
        }
        return plain == .legacy ? [.legacy, .nft] : [.nft, .legacy]
    }

    private func backendOfPlainName() async throws(DataplaneError) -> IPTables.Backend? {
        guard let version = try await version("iptables") else { return nil }
        return version.contains("nf_tables") ? .nft : .legacy
    }

    private func hasRandomFully(_ prefix: String) async throws(DataplaneError) -> Bool {
        try await version(prefix).map(Detection.isAtLeast1_6_2) ?? false
    }

    /// The version text of a program, such as `iptables v1.8.9 (legacy)`; nil if the program is unavailable.
    private func version(_ program: String) async throws(DataplaneError) -> String? {
        let attempt = await runCommand(program, ["--version"], "")
        switch (attempt, IPTablesResult(attempt)) {
        case (.ran(let result), .works): return result.output
        case (_, .unavailable), (_, .refused): return nil
        case (_, let verdict): throw verdict.error("\(program) --version") ?? DataplaneError(program, "did not run", isTemporary: true)
        }
    }

    /// - Parameter version: such as `iptables v1.8.9 (legacy)`.
    static func isAtLeast1_6_2(_ version: String) -> Bool {
        let numbers = version.drop { $0 != "v" }.dropFirst().prefix { $0.isNumber || $0 == "." }.split(separator: ".").compactMap {
            Int($0)
        }
        return !numbers.isEmpty && !numbers.lexicographicallyPrecedes([1, 6, 2])
    }
}
