internal import KernelDataplane
internal import KubeProxyConfiguration
internal import Logging
internal import Model
internal import Reconciler
internal import Translation

/// The state to remove in a cleanup: determined before any change, so that a dry run can print it.
struct Cleanup {
    private let dataplane: KernelDataplane
    private let filter: IPTablesFilter
    private let observed: NodeState
    /// The removal of everything except rules and settings.
    private let plan: Plan
    private let leftBehind: [IPTables.RulesLeftBehind]
    private let stateDirectory: String
    private let settings: [KernelSetup.SysctlRestoration]
    private let probing: Probing

    init(_ configuration: ProxyConfiguration, _ logger: Logger) async throws {
        let probing = Probing(.ofCommands, logger)
        self.probing = probing
        try await probing.run("privilege") { try KernelSetup.requirePrivilege() }
        let choice = IPTables.Backend(rawValue: configuration.iptables.rawValue)
        // The proxy owns its names in both families, even if iptables has no nat table for one.
        let catalogue = Translation.catalogue(configuration.translationSettings(families: Set(IPFamily.allCases), hasRandomFully: false))
        let dataplane = try await probing.run("kernel interfaces") {
            try KernelDataplane(catalogue: catalogue)
        }
        let filter = try await probing.run("iptables") {
            try IPTablesFilter(catalogue: catalogue, iptables: try await IPTables.detect(choice, testingRules: false))
        }
        (self.dataplane, self.filter) = (dataplane, filter)

        var observed = try await probing.run("kernel state") {
            try await dataplane.observeAll(with: filter, Set(catalogue.rules.keys))
        }
        let addresses = try await probing.run("node addresses") { try await dataplane.nodeAddresses() }
        let ownership = Ownership(observed: observed, localAddresses: addresses, excluded: configuration.excludeCIDRs)
        observed.virtualServers = observed.virtualServers.filter { ownership.isOurs($0.value) }
        // Rules may be in both backends, and are searched separately.
        observed.rules = [:]
        observed.leftovers = observed.leftovers.mapValues { Leftovers($0.family, hasTable: $0.hasTable) }
        self.observed = observed
        plan = Plan(removing: observed)
        leftBehind = try await probing.run("iptables rules") {
            try await IPTables.rulesLeftBehind(of: catalogue.rules.values.sorted { $0.family.rawValue < $1.family.rawValue }, in: choice)
        }
        stateDirectory = configuration.stateDirectory
        settings = try await probing.run("kernel settings") {
            try KernelSetup.settingsToRestore(stateDirectory: configuration.stateDirectory)
        }
    }

    /// Virtual servers first, so that none is served without its rules; ipsets last, as rules refer to them.
    private var beforeRules: [Operation] { plan.operations.filter { $0.kind != .destroySet } }
    private var afterRules: [Operation] { plan.operations.filter { $0.kind == .destroySet } }

    /// The steps of `run`, in order.
    var steps: [PlanDocument.Step] {
        func step(_ operation: Operation) -> PlanDocument.Step { .init(operation: operation.kind.rawValue, command: operation.command) }
        return beforeRules.map(step) + leftBehind.map { .init(operation: OperationKind.removeRules.rawValue, command: $0.command) }
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
        for rules in leftBehind {
            do {
                try await probing.run("rule removal") { try await rules.remove() }
                chains += rules.chainCount
            } catch {
                failures.append("\(error)")
            }
        }
        report.failures += await dataplane.apply(afterRules).failures
        let unrestored = try KernelSetup.restoreSettings(stateDirectory: stateDirectory)

        let removed = plan.counts.merging(Plan.counts(report.failures.map(\.operation))) { $0 - $1 }
        let summary =
            "removed \(removed[.deleteVirtualServer] ?? 0) virtual servers, \(removed[.deleteDevice] == 1 ? observed.addresses.count : 0) addresses, "
            + "\(removed[.destroySet] ?? 0) sets, \(chains) chains, \(removed[.deleteLeftoverTable] ?? 0) nftables tables; "
            + "restored \(max(0, settings.count - unrestored.count)) kernel settings"
        return CleanupOutcome(summary: summary, failures: report.failures.map(\.description) + failures + unrestored.map(\.description))
    }
}

struct CleanupOutcome {
    /// The numbers of removed and restored objects, in one line.
    var summary: String
    /// The errors of failed removals and restorations.
    var failures: [String]
}
