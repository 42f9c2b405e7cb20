internal import Model

/// Finds the programs that hold the rules of this node.
///
/// What could not be found out for now is never taken for an answer: not for which generation the node uses, nor for which families it has, nor for what its iptables can do.
struct Detection {
    /// Runs a program that changes nothing: its name, arguments and input.
    var ask: (String, [String], String) async -> Command.Attempt = { await Command.ask($0, $1, input: $2) }

    /// Chains that the kubelet puts into the place it uses, so that others can follow (KEP-3178).
    private static let hints = [":KUBE-IPTABLES-HINT ", ":KUBE-KUBELET-CANARY "]

    /// - Parameters:
    ///   - families: those that the node may have; no others are asked about.
    ///   - trying: whether to see if the kernel takes a rule; without it, only that the programs run.
    func find(_ choice: IPTables.Backend?, families: Set<IPFamily>, trying: Bool) async throws(DataplaneError) -> IPTables {
        var refusals: [String] = []
        let plain = try await backendOfPlainName()
        for backend in try await order(choice, plain: plain) {
            switch try await find(backend, families: families, plain: plain, trying: trying) {
            case .found(var iptables):
                iptables.passedOver = refusals
                return iptables
            case .notThere(let reason): refusals.append("\(backend.rawValue): \(reason)")
            }
        }
        throw DataplaneError(
            "iptables",
            "no working nat table (\(refusals.joined(separator: "; "))): install iptables (apt-get install iptables), run as root, and load the kernel module iptable_nat or nft_chain_nat"
        )
    }

    /// What one generation of iptables is on this node.
    enum Finding {
        case found(IPTables)
        /// For no family, or not to be used; the reason is the last family's.
        case notThere(String)
    }

    func find(_ backend: IPTables.Backend, families: Set<IPFamily>, trying: Bool) async throws(DataplaneError) -> Finding {
        try await find(backend, families: families, plain: try await backendOfPlainName(), trying: trying)
    }

    private func find(
        _ backend: IPTables.Backend, families: Set<IPFamily>, plain: IPTables.Backend?, trying: Bool
    ) async throws(DataplaneError) -> Finding {
        var prefixes: [IPFamily: String] = [:]
        var standardError = "not found"
        for family in IPFamily.allCases where families.contains(family) {
            for prefix in names(family, backend, plain: plain) where prefixes[family] == nil {
                let verdict = trying ? await tryRule(prefix) : IPTablesResult(await ask(prefix, ["--version"], ""))
                switch verdict {
                case .works: prefixes[family] = prefix
                case .notThere(let reason): standardError = reason == "not found" ? standardError : reason
                // Refused for one family is refused for all: the node has the other one just as well.
                case .refused(let reason): return .notThere(reason)
                case .inconclusive(let reason), .unexplained(let reason): throw DataplaneError(prefix, reason, isTemporary: true)
                }
            }
        }
        guard let prefix = prefixes.values.min() else { return .notThere(standardError) }
        return .found(IPTables(backend: backend, hasRandomFully: try await hasRandomFully(prefix), prefixes: prefixes))
    }

    /// The order in which to try them: where the kubelet left its hint, else where a node proxy's rules are, else what the plain name stands for.
    private func order(_ choice: IPTables.Backend?, plain: IPTables.Backend?) async throws(DataplaneError) -> [IPTables.Backend] {
        if let choice { return [choice] }
        var saved: [IPTables.Backend: String] = [:]
        for backend in IPTables.Backend.allCases {
            let program = "iptables-\(backend.rawValue)-save"
            let attempt = await ask(program, [], "")
            switch IPTablesResult(attempt) {
            case .works: if case .ran(let result) = attempt { saved[backend] = result.output }
            // What is not there has no rules, and what may not be used is of no use: the probe that follows says so if it matters.
            case .notThere, .refused, .unexplained: continue
            // A list that breaks off at something it does not understand still has the chains before it.
            case .inconclusive(let reason):
                if case .ran(let result) = attempt, !result.output.isEmpty, !IPTablesResult.isTemporary(result) {
                    saved[backend] = result.output
                } else {
                    throw DataplaneError(
                        program, "\(reason); set --iptables-backend to legacy or nft to skip it", isTemporary: true)
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

    /// Makes and removes a chain in one transaction. Listing proves nothing: a kernel without the tables has an empty list.
    private func tryRule(_ prefix: String) async -> IPTablesResult {
        let chain = "KUBE-IPVS-PROXY-PROBE"
        let verdict = IPTablesResult(
            await ask(
                "\(prefix)-restore", ["-w", IPTables.lockWait, "--noflush"], "*nat\n:\(chain) - [0:0]\n-X \(chain)\nCOMMIT\n"))
        guard case .unexplained(let standardError) = verdict else { return verdict }
        // The other program says why.
        switch IPTablesResult(await ask(prefix, ["-w", IPTables.lockWait, "-t", "nat", "-S", "PREROUTING"], "")) {
        case .works, .unexplained: return .inconclusive(standardError)
        case let explained: return explained
        }
    }

    private func backendOfPlainName() async throws(DataplaneError) -> IPTables.Backend? {
        guard let version = try await version("iptables") else { return nil }
        return version.contains("nf_tables") ? .nft : .legacy
    }

    private func hasRandomFully(_ prefix: String) async throws(DataplaneError) -> Bool {
        try await version(prefix).map(Detection.isAtLeast1_6_2) ?? false
    }

    /// What a program says of itself, such as `iptables v1.8.9 (legacy)`; nil where there is none.
    private func version(_ program: String) async throws(DataplaneError) -> String? {
        let attempt = await ask(program, ["--version"], "")
        switch (attempt, IPTablesResult(attempt)) {
        case (.ran(let result), .works): return result.output
        case (_, .notThere), (_, .refused): return nil
        case (_, let verdict): throw verdict.error("\(program) --version") ?? DataplaneError(program, "did not run", isTemporary: true)
        }
    }

    /// From `iptables v1.8.9 (legacy)`.
    static func isAtLeast1_6_2(_ version: String) -> Bool {
        let numbers = version.drop { $0 != "v" }.dropFirst().prefix { $0.isNumber || $0 == "." }.split(separator: ".").compactMap {
            Int($0)
        }
        return !numbers.isEmpty && !numbers.lexicographicallyPrecedes([1, 6, 2])
    }

    /// The name that says the backend first; some distributions have only the plain one.
    private func names(_ family: IPFamily, _ backend: IPTables.Backend, plain: IPTables.Backend?) -> [String] {
        let name = family == .ipv4 ? "iptables" : "ip6tables"
        return ["\(name)-\(backend.rawValue)"] + (plain == backend ? [name] : [])
    }
}
