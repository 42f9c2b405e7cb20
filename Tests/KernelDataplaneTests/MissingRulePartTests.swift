import Model
import Synchronization
import TestSupport
import Testing
import Translation

@testable import KernelDataplane

/// An iptables program whose kernel lacks some extensions, or which itself lacks some.
private struct Program: Sendable {
    /// The answers to inputs that contain a text or, without input, to such arguments.
    var failures: [String: String] = [:]

    func find(_ rules: Rules) async -> (findings: [MissingRuleParts.Finding]?, inputs: [String]) {
        let inputs = Mutex<[String]>([])
        let findings = await MissingRuleParts { _, arguments, input in
            inputs.withLock { $0.append(input) }
            return run(arguments, input)
        }.find(rules, "iptables-legacy")
        return (findings, inputs.withLock(\.self))
    }

    func areNone(in rules: Rules) async -> Bool {
        await MissingRuleParts { _, arguments, input in run(arguments, input) }.areNone(in: rules, "iptables-legacy")
    }

    func explain(_ error: DataplaneError) async -> String {
        await IPTables(backend: .legacy, hasRandomFully: true, prefixes: [.ipv4: "iptables-legacy"])
            .explain(error, rules, MissingRuleParts { _, arguments, input in run(arguments, input) }).reason
    }

    private func run(_ arguments: [String], _ input: String) -> Command.Attempt {
        let text = input.isEmpty ? arguments.joined(separator: " ") : input
        let error = failures.first { text.contains($0.key) }?.value
        return .ran(Command.Result(exitCode: error == nil ? 0 : 2, output: "", standardError: error ?? ""))
    }
}

private let rules = Rules(
    .ipv4,
    chains: [
        Rules.Chain(.nat, "KUBE-SERVICES"): [
            "-s 127.0.0.0/8 -j RETURN",
            #"! -s 10.244.0.0/16 -m comment --comment "a -m fake comment" -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ"#,
        ],
        Rules.Chain(.nat, "KUBE-MARK-MASQ"): ["-j MARK --set-xmark 0x4000/0x4000"],
        Rules.Chain(.filter, "KUBE-IPVS-FILTER"): [
            "-p tcp -m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst -j REJECT --reject-with tcp-reset",
            "! -p tcp -m set --match-set KUBE-NO-LOCAL-ENDPOINTS dst -m addrtype ! --src-type LOCAL -j DROP",
        ],
    ],
    jumps: [Rules.Jump(.nat, from: "OUTPUT", to: "KUBE-SERVICES", comment: "kubernetes service portals")])

@Suite struct `The parts of rules` {
    @Test func `are their matches and targets, each with a rule that needs nothing else`() {
        #expect(
            RulePart.samples(of: rules).map { "\($0.table.rawValue) \($0.part): \($0.rule)" } == [
                "filter match conntrack: -p tcp -m conntrack --ctstate NEW",
                "filter match set: -p tcp -m set --match-set KUBE-IPVS-IPS dst",
                "filter target REJECT: -p tcp -j REJECT --reject-with tcp-reset",
                "filter match addrtype: -m addrtype ! --src-type LOCAL",
                "nat target MARK: -j MARK --set-xmark 0x4000/0x4000",
                #"nat match comment: -m comment --comment "a -m fake comment""#,
            ])
    }

    @Test func `are all tested by one process, which fails if one of them is missing`() async {
        #expect(await Program().areNone(in: rules))
        #expect(await !Program(failures: ["--ctstate": "iptables-restore: line 4 failed"]).areNone(in: rules))
        #expect(await Program(failures: ["--match-set": "Set KUBE-CLUSTER-IP doesn't exist."]).areNone(in: rules))
    }

    @Test(arguments: [
        (RulePart.match("set"), "xt_set", "xt_set"), (.match("comment"), "xt_comment", "xt_comment"),
        (.match("conntrack"), "xt_conntrack", "xt_conntrack"), (.match("addrtype"), "xt_addrtype", "xt_addrtype"),
        (.match("physdev"), "xt_physdev", "xt_physdev"), (.match("ipvs"), "xt_ipvs", "xt_ipvs"), (.match("mark"), "xt_mark", "xt_mark"),
        (.match("icmp"), "ipt_icmp", "ipt_icmp"), (.match("icmp6"), "ip6t_icmp6", "ip6t_icmp6"),
        (.target("MARK"), "xt_mark", "xt_mark"), (.target("MASQUERADE"), "xt_MASQUERADE", "xt_MASQUERADE"),
        (.target("REJECT"), "ipt_REJECT", "ip6t_REJECT"), (.table(.nat), "iptable_nat", "ip6table_nat"),
        (.table(.filter), "iptable_filter", "ip6table_filter"), (.counter, "nft_counter", "nft_counter"),
    ])
    func `are each a module of the kernel`(part: RulePart, v4: String, v6: String) {
        #expect(part.module(.ipv4, .legacy) == v4 && part.module(.ipv6, .legacy) == v6)
        if case .table(let table) = part {
            #expect(part.module(.ipv4, .nft) == (table == .nat ? "nft_chain_nat" : "nf_tables"))
        } else {
            #expect(part.module(.ipv4, .nft) == v4 && part.module(.ipv6, .nft) == v6)
        }
    }

    /// The parts that the proxy uses are those of the table above.
    @Test func `of the proxy all have a known module`() {
        let known: Set = [
            "set", "comment", "conntrack", "addrtype", "physdev", "ipvs", "mark", "icmp", "icmp6", "MARK", "MASQUERADE", "REJECT",
        ]
        for rules in Translation.catalogue(TranslationSettings(nodeName: "node1")).rules.values {
            for sample in RulePart.samples(of: rules) {
                switch sample.part {
                case .match(let name), .target(let name): #expect(known.contains(name))
                case .table, .counter: Issue.record("only matches and targets are parts of a rule's text")
                }
            }
        }
    }
}

@Suite struct `A failed restore` {
    private static let missing = "Warning: Extension set revision 0 not supported, missing kernel module?; iptables-restore: line 4 failed"

    @Test(arguments: [
        (missing, MissingRuleParts.Absence.kernel),
        (
            "Warning: Extension set is not supported, missing kernel module?; iptables-restore v1.8.9 (legacy): Couldn't load match `set':No such file or directory; Error occurred at line: 3",
            .kernel
        ),
        ("iptables-restore v1.8.9 (legacy): Couldn't load match `set':No such file or directory; Error occurred at line: 3", .program),
        ("iptables-restore v1.8.9 (legacy): Couldn't load target `MARK':No such file or directory; Error occurred at line: 3", .program),
        ("iptables-restore: line 4 failed", .unclear),
        (
            "iptables-restore v1.8.9 (nf_tables): ; line 3: RULE_APPEND failed (No such file or directory): rule in chain KUBE-IPVS-PROXY-PROBE",
            .kernel
        ),
        ("iptables-restore v1.8.9 (legacy): Set KUBE-CLUSTER-IP doesn't exist.; ; Error occurred at line: 3", nil),
        ("Another app is currently holding the xtables lock. Stopped waiting after 5s.", nil),
        ("iptables-restore: line 4 failed: Resource temporarily unavailable.", nil),
        ("something new", nil),
    ])
    func `of one part is explained only by what its message means`(standardError: String, absence: MissingRuleParts.Absence?) {
        let result = Command.Result(exitCode: 2, output: "", standardError: standardError)
        #expect(MissingRuleParts.absence(ofExtension: .ran(result)) == absence)
    }

    @Test func `is followed by a test of each part, which names all that are missing`() async {
        let program = Program(failures: ["-m set": Self.missing, "-j REJECT": "iptables-restore: line 4 failed"])
        let (findings, inputs) = await program.find(rules)
        #expect(findings == [.init(part: .match("set"), absence: .kernel), .init(part: .target("REJECT"), absence: .unclear)])
        // No chain stays.
        for table in ["filter", "nat"] {
            let last = inputs.last { $0.hasPrefix("*\(table)") } ?? ""
            #expect(last.contains("-X KUBE-IPVS-PROXY-PROBE") && !last.contains("-A"), "\(last)")
        }
    }

    private static let uninitialized = "iptables-restore: unable to initialize table 'filter'; Error occurred at line: 1"

    /// The error of iptables-restore does not contain that of the kernel, which iptables prints.
    @Test func `for want of a table is not followed by tests in it`() async {
        let reason = "iptables v1.8.9 (legacy): can't initialize iptables table `filter': Table does not exist (do you need to insmod?)"
        for failures in [["*filter": Self.uninitialized, "-t filter -S": reason], ["*filter": reason]] {
            let (findings, inputs) = await Program(failures: failures).find(rules)
            #expect(findings == [.init(part: .table(.filter), absence: .kernel)])
            #expect(inputs.count { $0.hasPrefix("*filter") } == 1)
        }
    }

    @Test(arguments: [
        ["*filter": uninitialized],
        ["*filter": uninitialized, "-t filter -S": "iptables: can't initialize iptables table `filter': Memory allocation problem"],
        [
            "*filter": uninitialized,
            "-t filter -S": "iptables: can't initialize iptables table `filter': Permission denied (you must be root)",
        ],
        ["*filter": "something new"],
    ])
    func `is not blamed on the kernel if a table exists but cannot be used for another reason`(failures: [String: String]) async {
        #expect(await Program(failures: failures).find(rules).findings == nil)
    }

    /// With iptables-nft, the kernel refuses every rule with the same error as one with an extension that it does not have.
    @Test func `for want of what every rule needs is not blamed on the extensions`() async {
        let error = "iptables-nft-restore v1.8.9 (nf_tables): ; line 3: RULE_APPEND failed (No such file or directory): rule in chain X"
        let (findings, inputs) = await Program(failures: ["-A KUBE-IPVS-PROXY-PROBE": error]).find(rules)
        #expect(findings == [.init(part: .counter, absence: .kernel)])
        #expect(inputs.count { $0.contains("-A") } == 1 && inputs.last?.contains("-X KUBE-IPVS-PROXY-PROBE") == true, "\(inputs)")
        #expect(
            MissingRuleParts.explanation(findings ?? [], .ipv4, .nft, .unsupported)
                == "the kernel has no expression counter: " + ModuleLoading.unsupported.advice(["nft_counter"]))
    }

    /// The legacy programs do not print the kernel's error, and have no such part.
    @Test func `of every rule for an unknown reason is not blamed on what only nft has`() async {
        let (findings, inputs) = await Program(failures: ["-A KUBE-IPVS-PROXY-PROBE": "iptables-restore: line 4 failed"]).find(rules)
        #expect(findings?.contains { $0.part == .counter || $0.absence != .unclear } == false)
        #expect(inputs.contains { $0.hasPrefix("*nat") }, "the other table is tested too")
    }

    @Test func `has no explanation without the program`() async {
        #expect(await MissingRuleParts { _, _, _ in .notFound }.find(rules, "iptables-legacy") == nil)
    }

    private static let locked = "Another app is currently holding the xtables lock. Stopped waiting after 5s."

    @Test func `has no explanation if nothing is missing`() async {
        #expect(await Program().find(rules).findings == [])
        #expect(MissingRuleParts.explanation([], .ipv4, .legacy, .possible) == nil)
    }

    /// The table `filter` is tested before `nat`.
    @Test(arguments: [["*filter": locked], ["-m set": locked, "-m comment": missing], ["-m set": missing, "-j MARK": locked]])
    func `has no explanation if the lock is held during any test`(failures: [String: String]) async {
        let (findings, inputs) = await Program(failures: failures).find(rules)
        #expect(findings == nil)
        #expect(inputs.contains { $0.hasPrefix("*nat") } == (failures["-j MARK"] != nil), "\(inputs)")
    }

    @Test func `is explained anew after each attempt, by what is missing then`() async {
        let error = DataplaneError("iptables-legacy-restore", "iptables-restore: line 9 failed", isTemporary: true)
        #expect(await Program(failures: ["*filter": Self.locked]).explain(error) == error.reason)
        #expect(await Program(failures: ["-m set": Self.missing]).explain(error).hasPrefix("the kernel has no match set: "))
        #expect(await Program(failures: ["-j MARK": Self.missing]).explain(error).hasPrefix("the kernel has no target MARK: "))
        #expect(await Program().explain(error) == error.reason)
    }

    @Test func `is explained in one sentence with the modules to load`() {
        let findings = [
            MissingRuleParts.Finding(part: .match("set"), absence: .kernel), .init(part: .target("REJECT"), absence: .kernel),
            .init(part: .match("ipvs"), absence: .program),
        ]
        #expect(
            MissingRuleParts.explanation(Array(findings.prefix(1)), .ipv4, .legacy, .possible)
                == "the kernel has no match set: load the module xt_set (modprobe xt_set), and add it to /etc/modules-load.d for the next boot"
        )
        #expect(
            MissingRuleParts.explanation(findings, .ipv6, .nft, .possible)
                == "the kernel has no match set and no target REJECT: load the modules nft_compat, xt_set and ip6t_REJECT (modprobe --all nft_compat xt_set ip6t_REJECT), and add them to /etc/modules-load.d for the next boot; "
                + "the program has no match ipvs: install the complete package of iptables with its extensions (libxt_*.so)")
    }

    @Test func `with an error that the program does not print is explained with caution`() {
        #expect(
            MissingRuleParts.explanation([.init(part: .match("set"), absence: .unclear)], .ipv4, .legacy, .disabled)
                == "the kernel refuses the match set; if the module is missing, " + ModuleLoading.disabled.advice(["xt_set"]))
    }

    @Test func `has each warning once`() {
        #expect(IPTables.withoutRepetition("Warning: a; Warning: a; line 3 failed") == "Warning: a; line 3 failed")
    }
}
