internal import KernelDataplane
internal import KubeProxyConfiguration
internal import Logging
internal import Model
internal import Reconciler
internal import Translation

/// What cleaning up takes away: found before anything is changed, so that it can be told without being done.
struct Cleanup {
    private let dataplane: KernelDataplane
    private let filter: IPTablesFilter
    private let observed: NodeState
    /// All but rules and settings.
    private let plan: Plan
    private let remains: [IPTables.RulesLeftBehind]
    private let stateDirectory: String
    private let settings: [KernelSetup.SysctlRestoration]
    private let probing: Probing

    init(_ configuration: ProxyConfiguration, _ logger: Logger) async throws {
        let probing = Probing(.ofCommands, logger)
        self.probing = probing
        try await probing.answer("privilege") { try KernelSetup.requirePrivilege() }
        let choice = IPTables.Backend(rawValue: configuration.iptables.rawValue)
        // Names are ours in both families, whether or not iptables has a nat table for them.
        let catalogue = Translation.catalogue(configuration.translationSettings(families: Set(IPFamily.allCases), hasRandomFully: false))
        let dataplane = try await probing.answer("iptables") {
            try KernelDataplane(catalogue: catalogue)
        }
        let filter = try await probing.answer("iptables") {
            try IPTablesFilter(catalogue: catalogue, iptables: try await IPTables.detect(choice, trying: false))
        }
        (self.dataplane, self.filter) = (dataplane, filter)

        var observed = try await probing.answer("kernel state") {
            try await dataplane.observeAll(with: filter, Set(catalogue.rules.keys))
        }
        let addresses = try await probing.answer("node addresses") { try await dataplane.nodeAddresses() }
        let ownership = Ownership(observed: observed, localAddresses: addresses, excluded: configuration.excludeCIDRs)
        observed.virtualServers = observed.virtualServers.filter { ownership.isOurs($0.value) }
        // Rules may be in more than one place, and are looked for by themselves.
        observed.rules = [:]
        observed.leftovers = observed.leftovers.mapValues { Leftovers($0.family, hasTable: $0.hasTable) }
        self.observed = observed
        plan = Plan(removing: observed)
        remains = try await probing.answer("iptables rules") {
            try await IPTables.remains(of: catalogue.rules.values.sorted { $0.family.rawValue < $1.family.rawValue }, in: choice)
        }
        stateDirectory = configuration.stateDirectory
        settings = try await probing.answer("kernel settings") {
            try KernelSetup.settingsToRestore(stateDirectory: configuration.stateDirectory)
        }
    }

    /// Virtual servers first, so that nothing is served without its rules; sets last, as rules name them.
    private var beforeRules: [Operation] { plan.operations.filter { $0.kind != .destroySet } }
    private var afterRules: [Operation] { plan.operations.filter { $0.kind == .destroySet } }

    /// What it does, in order.
    var steps: [PlanDocument.Step] {
        func step(_ operation: Operation) -> PlanDocument.Step { .init(operation: operation.kind.rawValue, command: operation.command) }
        return beforeRules.map(step) + remains.map { .init(operation: OperationKind.removeRules.rawValue, command: $0.command) }
            + afterRules.map(step) + settings.map { .init(operation: "restoreSetting", command: $0.command) }
    }

    func run() async throws -> CleanupOutcome {
        var report = await dataplane.apply(beforeRules.filter { $0.layer != .rules })
        for operation in beforeRules where operation.layer == .rules {
            do {
                _ = try await filter.apply(operation)
            } catch {
                report.failures.append(.init(operation, reason: "\(error)"))
            }
        }
        var chains = 0
        var failures: [String] = []
        for remains in remains {
            do {
                try await probing.answer("rule removal") { try await remains.remove() }
                chains += remains.chainCount
            } catch {
                failures.append("\(error)")
            }
        }
        report.failures += await dataplane.apply(afterRules).failures
        let unrestored = try KernelSetup.restoreSettings(stateDirectory: stateDirectory)

        let gone = plan.counts.merging(Plan.counts(report.failures.map(\.operation))) { $0 - $1 }
        let summary =
            "removed \(gone[.deleteVirtualServer] ?? 0) virtual servers, \(gone[.deleteDevice] == 1 ? observed.addresses.count : 0) addresses, "
            + "\(gone[.destroySet] ?? 0) sets, \(chains) chains, \(gone[.deleteLeftoverTable] ?? 0) nftables tables; "
            + "restored \(max(0, settings.count - unrestored.count)) kernel settings"
        return CleanupOutcome(summary: summary, failures: report.failures.map(\.description) + failures + unrestored.map(\.description))
    }
}

struct CleanupOutcome {
    /// How much went, in one line.
    var summary: String
    /// What could not be removed or put back.
    var failures: [String]
}
