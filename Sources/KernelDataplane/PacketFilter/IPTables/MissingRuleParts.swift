internal import Model

/// Finds the parts of rules that the kernel or the iptables programs lack, after a restore failed.
///
/// The error of a restore often names only a line: with the legacy backend, that of COMMIT. Each part is therefore restored alone, in a
/// chain that no other rule refers to.
struct MissingRuleParts {
    /// Runs a program: its name, arguments and input.
    var runCommand: (String, [String], String) async -> Command.Attempt = { await Command.attempt($0, $1, input: $2) }

    /// What lacks a part.
    enum Absence: Hashable {
        case kernel, program
        /// The kernel refuses a rule with the part, for a reason that the program does not print.
        case unclear
    }

    struct Finding: Hashable {
        var part: RulePart
        var absence: Absence
    }

    /// Whether no part is missing, by one process. Sets are not tested, as a rule needs one that exists.
    func areNone(in rules: Rules, _ prefix: String) async -> Bool {
        let samples = RulePart.samples(of: rules).filter { $0.part != .match("set") }
        let tables = Rules.Table.allCases.filter { table in samples.contains { $0.table == table } }
        let text = tables.map { table in
            let rules = samples.filter { $0.table == table }.map { "-A \(TableTest.chain) \($0.rule)\n" }
            return "*\(table.rawValue)\n:\(TableTest.chain) - [0:0]\n" + rules.joined()
                + "-F \(TableTest.chain)\n-X \(TableTest.chain)\nCOMMIT\n"
        }
        guard case .ran(let result) = await restore(text.joined(), "\(prefix)-restore") else { return false }
        return result.succeeded
    }

    /// - Parameter prefix: such as `iptables-legacy`.
    /// - Returns: the missing parts; nil if the tests could not be completed, as some findings without others may be misleading.
    func find(_ rules: Rules, _ prefix: String) async -> [Finding]? {
        var findings: [Finding] = []
        let samples = RulePart.samples(of: rules)
        let used = Set(rules.chains.keys.map(\.table) + rules.jumps.map(\.table))
        for table in Rules.Table.allCases where used.contains(table) {
            switch await TableTest(runCommand: runCommand).verdict(prefix, table) {
            case .works: break
            case .unavailable(let reason) where reason != "not found":
                findings.append(Finding(part: .table(table), absence: .kernel))
                continue
            // Without the program, permission or memory, nothing can be tested.
            default: return nil
            }
            let found = await find(samples.filter { $0.table == table }, table, "\(prefix)-restore")
            // If this fails, the chain stays until the next test or the next observation.
            _ = await restore(TableTest.removal(from: table), "\(prefix)-restore")
            guard let found else { return nil }
            // Without it, every rule fails.
            guard found.first?.part != .counter else { return findings + found }
            findings += found
        }
        return findings
    }

    /// Tests parts in the chain of a table; nil if a test could not be completed.
    private func find(_ samples: [RulePart.Sample], _ table: Rules.Table, _ program: String) async -> [Finding]? {
        var findings: [Finding] = []
        for sample in [.counter(table)] + samples {
            // Declaring the chain flushes it.
            let attempt = await restore(
                "*\(table.rawValue)\n:\(TableTest.chain) - [0:0]\n-A \(TableTest.chain) \(sample.rule)\nCOMMIT\n", program)
            if Self.isTemporary(attempt) { return nil }
            guard let absence = Self.absence(ofExtension: attempt) else { continue }
            let finding = Finding(part: sample.part, absence: absence)
            guard sample.part != .counter else {
                if absence == .kernel { return [finding] }
                continue
            }
            findings.append(finding)
        }
        return findings
    }

    private func restore(_ text: String, _ program: String) async -> Command.Attempt {
        await runCommand(program, ["-w", IPTables.lockWait, "--noflush"], text)
    }

    private static func isTemporary(_ attempt: Command.Attempt) -> Bool {
        switch attempt {
        case .ran(let result): IPTablesResult.isTemporary(result)
        case .notRun, .notFound: true
        }
    }

    /// Nil if the part exists, or if another reason is more likely.
    static func absence(ofExtension attempt: Command.Attempt) -> Absence? {
        guard case .ran(let result) = attempt, !result.succeeded, !IPTablesResult.isTemporary(result) else { return nil }
        let text = result.standardError
        func says(_ phrases: String...) -> Bool { phrases.contains { text.contains($0) } }
        if says("missing kernel module") { return .kernel }
        if says("Couldn't load match", "Couldn't load target", "Couldn't find match", "Couldn't find target") { return .program }
        // With nft, the kernel's error is that of the rule.
        if says("RULE_APPEND failed (No such file or directory)", "RULE_APPEND failed (Operation not supported)") { return .kernel }
        // The legacy programs do not print the kernel's error, and old versions not even that an extension is missing.
        return text.hasSuffix("failed") && text.contains("restore: line ") && !text.contains(";") ? .unclear : nil
    }

    /// One sentence about the missing parts and how to add them; nil if there are none.
    static func explanation(
        _ findings: [Finding], _ family: IPFamily, _ backend: IPTables.Backend, _ loading: ModuleLoading
    ) -> String? {
        func list(_ absence: Absence, prefix: String) -> String? {
            let parts = findings.filter { $0.absence == absence }.map { "\(prefix) \($0.part)" }
            guard let last = parts.last else { return nil }
            return parts.count == 1 ? last : parts.dropLast().joined(separator: ", ") + " and " + last
        }
        func advice(_ absence: Absence) -> String {
            var modules: [String] = []
            for finding in findings where finding.absence == absence {
                let module = finding.part.module(family, backend)
                if !modules.contains(module) { modules.append(module) }
            }
            // nf_tables runs the extensions of iptables through this module.
            let needsCompat = findings.contains {
                switch $0.part {
                case .counter, .table: false
                case .match, .target: $0.absence == absence
                }
            }
            return loading.advice(backend == .nft && needsCompat ? ["nft_compat"] + modules : modules)
        }
        var sentences: [String] = []
        if let missing = list(.kernel, prefix: "no") { sentences.append("the kernel has \(missing): \(advice(.kernel))") }
        if let refused = list(.unclear, prefix: "the") {
            sentences.append("the kernel refuses \(refused); if the module is missing, \(advice(.unclear))")
        }
        if let missing = list(.program, prefix: "no") {
            sentences.append("the program has \(missing): install the complete package of iptables with its extensions (libxt_*.so)")
        }
        return sentences.isEmpty ? nil : sentences.joined(separator: "; ")
    }
}

extension IPTables {
    /// Adds the parts that the kernel or the program lacks to the error of a failed restore. A retry costs about 15 short processes.
    func explain(_ error: DataplaneError, _ rules: Rules, _ parts: MissingRuleParts = MissingRuleParts()) async -> DataplaneError {
        let isTemporary = IPTablesResult.isTemporary(Command.Result(exitCode: 1, output: "", standardError: error.reason))
        guard !isTemporary, let prefix = prefixes[rules.family], let findings = await parts.find(rules, prefix),
            let explanation = MissingRuleParts.explanation(findings, rules.family, backend, .current)
        else { return error }
        return DataplaneError(error.request, "\(explanation) (\(Self.withoutRepetition(error.reason)))", isTemporary: error.isTemporary)
    }

    /// The program repeats a warning for each rule.
    static func withoutRepetition(_ standardError: String) -> String {
        var known: Set<Substring> = []
        let separator = "; "
        return standardError.split(separator: separator).filter { known.insert($0).inserted }.joined(separator: separator)
    }
}
