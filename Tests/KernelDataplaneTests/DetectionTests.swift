import Model
import Synchronization
import Testing

@testable import KernelDataplane

private func ended(_ exitCode: Int32?, _ standardError: String, output: String = "") -> Command.Attempt {
    .ran(Command.Result(exitCode: exitCode, output: output, standardError: standardError))
}

/// Errors of iptables 1.6 to 1.8 while the lock is held or resources are short.
private let temporaryFailures: [Command.Attempt] = [
    ended(
        4,
        "Can't lock /run/xtables.lock: Resource temporarily unavailable; Another app is currently holding the xtables lock. Stopped waiting after 5s."
    ),
    ended(4, "Another app is currently holding the xtables lock; still 4s 0us time ahead to have a chance to grab the lock..."),
    ended(4, "Another app is currently holding the xtables lock. Perhaps you want to use the -w option?"),
    ended(4, "Fatal: can't open lock file /run/xtables.lock: Too many open files"),
    ended(3, "iptables v1.8.9 (legacy): can't initialize iptables table `nat': Memory allocation problem"),
    ended(1, "iptables-restore: line 4 failed: Resource temporarily unavailable."),
    ended(
        4, "iptables-nft-restore v1.8.9 (nf_tables): ; line 2: CHAIN_USER_ADD failed (Device or resource busy): chain KUBE-IPVS-PROXY-PROBE"
    ),
    ended(4, "iptables-nft-restore v1.8.9 (nf_tables): Could not fetch rule set generation id: No buffer space available"),
    ended(4, "iptables v1.8.7 (nf_tables):  TABLE_ADD failed (Cannot allocate memory): table nat"),
    ended(4, "netlink: Error: Interrupted system call"),
    // Killed by the out-of-memory killer.
    ended(nil, "killed by signal 9"),
    ended(1, ""), ended(4, ""), ended(2, "something new"),
    .notRun(reason: "timed out after 60.0 seconds"),
    .notRun(reason: "failed to run: Resource temporarily unavailable"),
]

/// Errors for tables, families or programs that are not supported.
private let unsupported: [Command.Attempt] = [
    .notFound,
    ended(
        3,
        "iptables v1.8.9 (legacy): can't initialize iptables table `nat': Table does not exist (do you need to insmod?); Perhaps iptables or your kernel needs to be upgraded."
    ),
    ended(3, "ip6tables v1.8.9 (legacy): can't initialize ip6tables table `nat': Address family not supported by protocol"),
    ended(3, "iptables v1.8.9 (nf_tables): table 'nat' does not exist; Perhaps iptables or your kernel needs to be upgraded."),
    ended(
        4,
        "iptables-nft-restore v1.8.9 (nf_tables): ; line 2: TABLE_ADD failed (Operation not supported): table nat; line 2: CHAIN_USER_ADD failed (No such file or directory): chain KUBE-IPVS-PROXY-PROBE"
    ),
    ended(1, "iptables/1.8.7 Failed to initialize nft: Protocol not supported"),
    ended(4, "iptables-nft-save v1.8.9 (nf_tables): Could not fetch rule set generation id: Invalid argument"),
    ended(1, "iptables-save v1.8.9 (nf_tables): table `nat' is incompatible, use 'nft' tool."),
    ended(2, "iptables-restore: unrecognized option '-w'"),
    ended(3, "iptables v1.8.9 (legacy): can't initialize iptables table `nat': Module is wrong version"),
    ended(127, "ip6tables-legacy: error while loading shared libraries: libip6tc.so.2: cannot open shared object file"),
]

private let refused: [Command.Attempt] = [
    ended(4, "iptables-nft-restore v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)"),
    ended(1, "iptables-save v1.8.9 (legacy): Cannot initialize: Permission denied (you must be root)"),
    ended(4, "Fatal: can't open lock file /run/xtables.lock: Permission denied"),
    ended(4, "Fatal: can't open lock file /run/xtables.lock: Read-only file system"),
    ended(4, "Fatal: can't open lock file /run/xtables.lock: No such file or directory"),
    ended(1, "iptables: Operation not permitted."),
]

/// The error of the legacy restore program, whatever the reason.
private let unexplained = ended(
    2, "iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table 'nat'; Error occurred at line: 1")

@Suite struct `The result of an iptables program` {
    @Test(arguments: temporaryFailures) func `while the machine is busy is inconclusive`(attempt: Command.Attempt) {
        guard case .inconclusive = IPTablesResult(attempt) else { return #expect(Bool(false), "\(IPTablesResult(attempt))") }
        #expect(IPTablesResult(attempt).error("iptables")?.isTemporary == true)
    }

    @Test(arguments: unsupported) func `for something unsupported is final`(attempt: Command.Attempt) {
        guard case .unavailable = IPTablesResult(attempt) else { return #expect(Bool(false), "\(IPTablesResult(attempt))") }
        #expect(IPTablesResult(attempt).error("iptables")?.isTemporary == false)
    }

    @Test(arguments: refused) func `for something not permitted is refused`(attempt: Command.Attempt) {
        guard case .refused = IPTablesResult(attempt) else { return #expect(Bool(false), "\(IPTablesResult(attempt))") }
        #expect(IPTablesResult(attempt).error("iptables")?.isTemporary == false)
    }

    @Test func `without a reason is unexplained`() {
        guard case .unexplained = IPTablesResult(unexplained) else { return #expect(Bool(false)) }
    }

    @Test func `is success despite error output if the exit code is 0`() {
        #expect(IPTablesResult(ended(0, "Another app is currently holding the xtables lock; still 4s")) == .works)
    }

    @Test func `for a held lock names the lock and how to find its holder`() {
        let verdict = IPTablesResult(ended(4, "Can't lock /var/run/x.lock: Resource temporarily unavailable"))
        let reason = verdict.error("iptables")?.reason ?? ""
        #expect(reason.hasPrefix("another program holds the xtables lock, see `fuser -v /var/run/x.lock`"))
    }
}

/// A node whose programs give the configured answers.
private struct Node: Sendable {
    /// Answers of programs that do not succeed with empty output.
    var answers: [String: Command.Attempt] = [:]
    /// The number of the command that gets a different answer, and that answer.
    var disturbance: (command: Int, answer: Command.Attempt)?

    struct Outcome: Equatable {
        var backend: IPTables.Backend
        var families: Set<IPFamily>
        var hasRandomFully: Bool
    }

    func find(_ choice: IPTables.Backend?, families: Set<IPFamily> = [.ipv4, .ipv6], testingRules: Bool = true) async throws -> (
        outcome: Outcome, commands: Int, unavailable: [IPFamily: String]
    ) {
        let count = Mutex(0)
        let found = try await Detection { program, arguments, _ in
            let number = count.withLock { count in
                count += 1
                return count
            }
            if let disturbance, disturbance.command == number { return disturbance.answer }
            if let answer = answers[program] { return answer }
            guard arguments == ["--version"] else { return ended(0, "") }
            return ended(0, "", output: "iptables v1.8.9 (\(program.contains("nft") ? "nf_tables" : "legacy"))\n")
        }.find(choice, families: families, testingRules: testingRules)
        return (
            Outcome(backend: found.backend, families: found.families, hasRandomFully: found.hasRandomFully), count.withLock(\.self),
            found.unavailable
        )
    }
}

@Suite struct `The iptables of a node` {
    private static let kinds: [Node] = [
        Node(), Node(answers: ["iptables-nft-save": ended(0, "", output: ":KUBE-IPTABLES-HINT - [0:0]\n")]),
        Node(answers: ["iptables-legacy-save": ended(0, "", output: ":KUBE-POSTROUTING - [0:0]\n"), "iptables-nft": .notFound]),
        Node(answers: ["ip6tables-legacy-restore": unsupported[1], "ip6tables-nft-restore": unsupported[4]]),
        Node(answers: ["iptables-legacy": .notFound, "iptables-legacy-restore": .notFound, "iptables-legacy-save": .notFound]),
        Node(answers: [
            "iptables-nft-restore": unsupported[4], "ip6tables-nft-restore": unsupported[4], "iptables-nft-save": unsupported[5],
        ]),
    ]

    @Test(arguments: kinds.indices, [nil, .legacy, .nft] as [IPTables.Backend?])
    func `is detected equally or not at all, whichever command fails temporarily`(kind: Int, choice: IPTables.Backend?) async throws {
        for testingRules in [true, false] {
            var node = Self.kinds[kind]
            // Nothing to disturb without this backend.
            guard let undisturbed = try? await node.find(choice, testingRules: testingRules) else { continue }
            #expect(undisturbed.commands >= 2)
            for command in 1...undisturbed.commands {
                for answer in [temporaryFailures[0], temporaryFailures[10], temporaryFailures[13]] {
                    node.disturbance = (command, answer)
                    do {
                        let outcome = try await node.find(choice, testingRules: testingRules).outcome
                        #expect(outcome == undisturbed.outcome, "command \(command): \(answer)")
                    } catch let error as DataplaneError {
                        #expect(error.isTemporary, "command \(command): \(answer): \(error)")
                    }
                }
            }
        }
    }

    @Test(arguments: unsupported) func `serves the other family if one has no table`(answer: Command.Attempt) async throws {
        let without6 = Node(answers: ["ip6tables-legacy-restore": answer, "ip6tables-restore": answer])
        #expect(try await without6.find(.legacy).outcome.families == [.ipv4])
        let without4 = Node(answers: ["iptables-legacy-restore": answer, "iptables-restore": answer])
        #expect(try await without4.find(.legacy).outcome.families == [.ipv6])
    }

    @Test func `names the family without a table, the reason, and what to do`() async throws {
        let noTable = Node(answers: ["ip6tables-legacy-restore": unsupported[1], "ip6tables-restore": unsupported[1]])
        let reason = try await noTable.find(.legacy).unavailable
        #expect(reason.keys.elementsEqual([.ipv6]) && reason[.ipv6]?.contains("Table does not exist") == true, "\(reason)")
        #expect(reason[.ipv6]?.hasSuffix(ModuleLoading.advice("ip6table_nat")) == true, "\(reason)")
        let noProgram = Node(answers: ["iptables-legacy-restore": .notFound, "iptables-restore": .notFound])
        #expect(
            try await noProgram.find(.legacy).unavailable
                == [.ipv4: "iptables-legacy: not found: install iptables (apt-get install iptables)"])
        #expect(try await Node().find(.legacy).unavailable.isEmpty)
    }

    @Test(arguments: refused) func `fails permanently if a family is refused`(answer: Command.Attempt) async {
        let error = await #expect(throws: DataplaneError.self) {
            try await Node(answers: ["iptables-legacy-restore": answer]).find(.legacy)
        }
        #expect(error?.isTemporary == false && error?.reason.contains("legacy: ") == true)
    }

    @Test func `does not depend on ip6tables if IPv6 is disabled`() async throws {
        let node = Node(answers: ["ip6tables-legacy-restore": temporaryFailures[0], "ip6tables-nft-restore": temporaryFailures[0]])
        for choice in [nil, .legacy, .nft] as [IPTables.Backend?] {
            #expect(try await node.find(choice, families: [.ipv4]).outcome.families == [.ipv4])
        }
    }

    @Test func `is run to find the reason if the restore program gives none`() async throws {
        func node(_ explanation: Command.Attempt) -> Node {
            Node(answers: [
                "iptables": .notFound, "ip6tables-legacy-restore": unexplained, "ip6tables-legacy": explanation,
            ])
        }
        #expect(try await node(unsupported[1]).find(.legacy).outcome.families == [.ipv4])
        for explanation in [temporaryFailures[0], ended(0, ""), unexplained] {
            let error = await #expect(throws: DataplaneError.self) { try await node(explanation).find(.legacy) }
            #expect(error?.isTemporary == true)
        }
        await #expect(throws: DataplaneError.self) { try await node(refused[0]).find(.legacy) }
    }

    @Test func `is detected from a listing that ends at a rule iptables cannot parse, but not from one cut short by the lock`()
        async throws
    {
        func node(_ standardError: String) -> Node {
            Node(answers: ["iptables-nft-save": ended(1, standardError, output: "*nat\n:KUBE-IPTABLES-HINT - [0:0]\n")])
        }
        #expect(try await node("iptables-nft-save v1.8.9 (nf_tables): Parsing nftables rule failed").find(nil).outcome.backend == .nft)
        let error = await #expect(throws: DataplaneError.self) {
            try await node("Another app is currently holding the xtables lock").find(nil)
        }
        #expect(error?.isTemporary == true)
    }

    @Test func `that is only read is found with one program for each family`() async throws {
        var started: [String] = []
        let detection = Detection { program, arguments, _ in
            started.append(([program] + arguments).joined(separator: " "))
            return ended(0, "", output: "\(program) v1.8.9 (nf_tables)\n")
        }
        guard case .found(let iptables) = try await detection.find(.nft, families: [.ipv4, .ipv6], testingRules: false) else {
            Issue.record("not found")
            return
        }
        #expect(iptables.hasRandomFully)
        #expect(started == ["iptables-nft --version", "ip6tables-nft --version"])
    }

    @Test func `reports the backend passed over and the reason`() async throws {
        let answers = [
            "iptables-legacy-save": ended(0, "", output: ":KUBE-IPTABLES-HINT - [0:0]\n"), "iptables-legacy-restore": refused[3],
        ]
        let found = try await Detection { program, arguments, _ in
            answers[program] ?? ended(0, "", output: arguments == ["--version"] ? "iptables v1.8.9 (nf_tables)\n" : "")
        }.find(nil, families: [.ipv4], testingRules: true)
        #expect(found.backend == .nft)
        #expect(found.skipped.count == 1 && found.skipped[0].hasPrefix("legacy: Fatal: can't open lock file"), "\(found.skipped)")
    }

    @Test func `is retried, with a hint to --iptables-backend, if the other backend's listing is inconclusive`() async throws {
        let node = Node(answers: ["iptables-nft-save": ended(1, "something new")])
        let error = await #expect(throws: DataplaneError.self) { try await node.find(nil) }
        #expect(error?.isTemporary == true && error?.reason.contains("--iptables-backend") == true)
        #expect(try await node.find(.legacy).outcome.families == [.ipv4, .ipv6])
    }

    @Test func `is chosen by the kubelet's hint if both backends have a node proxy's rules`() async throws {
        let rules = "*nat\n:KUBE-POSTROUTING - [0:0]\n"
        for hinted in IPTables.Backend.allCases {
            let node = Node(answers: [
                "iptables-\(hinted.rawValue)-save": ended(0, "", output: ":KUBE-IPTABLES-HINT - [0:0]\n\(rules)"),
                "iptables-\(hinted.other.rawValue)-save": ended(0, "", output: rules),
            ])
            #expect(try await node.find(nil).outcome.backend == hinted)
        }
        let unhinted = Node(answers: [
            "iptables-legacy-save": ended(0, "", output: rules), "iptables-nft-save": ended(0, "", output: rules),
        ])
        #expect(try await unhinted.find(nil).outcome.backend == .nft)
    }

    @Test func `is chosen by the kubelet's hint, then by a node proxy's rules, then by the plain command`() async throws {
        #expect(try await Self.kinds[1].find(nil).outcome.backend == .nft)
        #expect(try await Node().find(nil).outcome.backend == .legacy)
        #expect(
            try await Node(answers: ["iptables": ended(0, "", output: "iptables v1.8.9 (nf_tables)")]).find(nil).outcome.backend == .nft)
        #expect(try await Self.kinds[5].find(nil).outcome.backend == .legacy)
    }
}
