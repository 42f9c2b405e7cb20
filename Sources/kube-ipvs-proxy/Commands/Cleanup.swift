internal import KernelDataplane
internal import KubeProxyConfiguration
internal import Logging
internal import Model
internal import Reconciler
internal import Translation

/// The state to remove in a cleanup: determined before any change, so that a dry run can print it.
struct Cleanup {
    private let dataplane: KernelDataplane
    private let rules: RulesRemoval
    private let observed: NodeState
    /// The errors of backends that cannot be read.
    let unread: [String]
    /// The removal of everything except settings.
    private let plan: Plan
    private let stateDirectory: String
    private let settings: [KernelSetup.SysctlRestoration]
    private let probing: Probing

    init(_ configuration: ProxyConfiguration, _ logger: Logger) async throws {
        let probing = Probing(.ofCommands, logger)
        self.probing = probing
        try await probing.run("privilege") { try KernelSetup.requirePrivilege() }
        // The proxy owns its names in both families and in both backends of iptables: the node may have changed its backend.
        let catalogue = Cleanup.catalogue(configuration)
        let dataplane = try await probing.run("kernel interfaces") {
            try KernelDataplane(catalogue: catalogue, packetFilter: nil)
        }
        let rules = RulesRemoval(catalogue: catalogue)
        (self.dataplane, self.rules) = (dataplane, rules)

        var observed = try await probing.run("kernel state") { try await dataplane.observe(.everything) }
        var unread: [String] = []
        for family in IPFamily.allCases {
            observed.leftovers[family] = try await probing.run("nftables") { try await rules.observe(family).leftovers }
            for backend in IPTablesBackend.allCases.map(RulesBackend.iptables) + [.nftables] {
                // A backend that cannot be read must not keep everything else.
                do {
                    let found = try await probing.run("\(backend)") { try await rules.observe(family, in: backend) }
                    if let found { observed.rulesInOtherBackends.append(found) }
                } catch {
                    try Task.checkCancellation()
                    unread.append("\(error); rules of a node proxy in it stay")
                }
            }
        }
        self.unread = unread
        let addresses = try await probing.run("node addresses") { try await dataplane.nodeAddresses() }
        let ownership = Ownership(observed: observed, localAddresses: addresses.all, excluded: configuration.excludeCIDRs)
        observed.virtualServers = observed.virtualServers.filter { ownership.isOurs($0.value) }
        self.observed = observed
        plan = Plan(removing: observed)
        stateDirectory = configuration.stateDirectory
        settings = try await probing.run("kernel settings") {
            try KernelSetup.settingsToRestore(stateDirectory: configuration.stateDirectory)
        }
    }

    /// All names of the proxy, in both packet filters.
    private static func catalogue(_ configuration: ProxyConfiguration) -> NodeState {
        var settings = configuration.translationSettings(families: Set(IPFamily.allCases), hasRandomFully: false)
        var catalogue = Translation.catalogue(settings)
        settings.packetFilter = .nftables
        catalogue.sets.merge(Translation.catalogue(settings).sets) { first, _ in first }
        return catalogue
    }

    /// The steps of `run`, in order.
    var steps: [PlanDocument.Step] {
        plan.operations.map { .init(operation: $0.kind.rawValue, command: $0.command) }
            + settings.map { .init(operation: "restoreSetting", command: $0.command) }
    }

    func run() async throws -> CleanupOutcome {
        var failures: [OperationFailure] = []
        var rest = plan.operations[...]
        while let first = rest.first {
            let others = rest.prefix { $0.layer != .rules }
            if others.isEmpty {
                failures += await remove(first)
            } else {
                failures += await dataplane.apply(Array(others)).failures
            }
            rest = rest.dropFirst(max(1, others.count))
        }
        let unrestored = try KernelSetup.restoreSettings(stateDirectory: stateDirectory)

        let failed = Set(failures.map(\.operation))
        var (chains, tables) = (0, 0)
        for case .removeRules(let rules) in plan.operations where !failed.contains(.removeRules(rules)) {
            chains += rules.chains.count
            if rules.backend == .nftables { tables += 1 }
        }
        let removed = plan.counts.merging(Plan.counts(failures.map(\.operation))) { $0 - $1 }
        // The kernel removes addresses and routes with the device.
        let addresses = removed[.deleteDevice] == 1 ? observed.boundAddressCount : 0
        let routes = removed[.deleteDevice] == 1 && !observed.routes.isEmpty ? "\(observed.routes.count) routes, " : ""
        let summary =
            "removed \(removed[.deleteVirtualServer] ?? 0) virtual servers, \(addresses) addresses, \(routes)"
            + "\(removed[.destroySet] ?? 0) sets, \(chains) chains, \(tables + (removed[.deleteLeftoverTable] ?? 0)) nftables tables; "
            + "restored \(max(0, settings.count - unrestored.count)) kernel settings"
        let setsAreInUse = failures.contains { $0.operation.kind == .destroySet && $0.reason.contains("in use") }
        return CleanupOutcome(
            summary: summary,
            failures: unread + failures.map(\.description) + unrestored.map(\.description)
                + (setsAreInUse ? [await reasonOfSetsInUse()] : []))
    }

    /// Why ipsets may still be in use, and what to do.
    private func reasonOfSetsInUse() async -> String {
        let missing = await rules.missingPrograms()
        guard !missing.isEmpty else {
            return "ipsets that remain are in use by rules of other programs, or by rules that were not removed: see iptables-legacy-save, "
                + "iptables-nft-save and nft list ruleset"
        }
        return "ipsets that remain may be in use by rules that cannot be read without \(missing.joined(separator: " and ")): "
            + "install iptables (apt-get install iptables) and run cleanup again"
    }

    /// Carries out an operation of the rules layer.
    private func remove(_ operation: Operation) async -> [OperationFailure] {
        do {
            _ = try await probing.run("rule removal") { try await rules.apply(operation) }
            return []
        } catch {
            return [OperationFailure(operation, reason: "\(error)")]
        }
    }
}

struct CleanupOutcome {
    /// The numbers of removed and restored objects, in one line.
    var summary: String
    /// The errors of failed removals and restorations.
    var failures: [String]
}
