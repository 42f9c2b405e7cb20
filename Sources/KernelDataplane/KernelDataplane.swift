public import Model
internal import Netlink
public import Reconciler
internal import SystemPackage

/// The kernel of this node: IPVS, the dummy device, sets and rules, behind one door.
///
/// Everything runs on an executor of its own, one thing after the other. No program is started but iptables-save and iptables-restore.
public actor KernelDataplane: Dataplane {
    private let executor = KernelExecutor()
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    private let ipvs: IPVSClient
    private let sets: IPSetClient
    private let interfaces: InterfaceClient
    private let conntrack: ConntrackClient
    private let nftables: NFTablesClient
    private let iptables: IPTables
    /// What is ours by name: the sets, chains and jumps of a cluster without Services.
    private let catalogue: NodeState
    /// How rules we restored look when they are printed, where that differs from how we wrote them.
    private var printed: [IPFamily: Printed] = [:]
    private var drops = DropTally()

    private struct Printed {
        var restored: Rules
        var saved: Rules

        /// Chains that somebody changed between our writing and our reading are not our rules in another spelling.
        var isLikely: Bool { saved.chains.mapValues(\.count) == restored.chains.mapValues(\.count) }
    }

    /// - Parameter catalogue: a state that holds every set, chain and jump of ours, whatever is in them.
    public init(catalogue: NodeState, iptables: IPTables) throws(DataplaneError) {
        self.catalogue = catalogue
        self.iptables = iptables
        ipvs = try IPVSClient()
        sets = try IPSetClient()
        interfaces = try InterfaceClient()
        conntrack = try ConntrackClient()
        nftables = try NFTablesClient()
    }

    // MARK: Observing

    public func observe(_ scope: Scope) async throws -> NodeState {
        switch scope {
        case .everything: try await observeEverything()
        case .only(let selection): try await observe(selection)
        }
    }

    private func observeEverything() async throws(DataplaneError) -> NodeState {
        var state = try await observeFrame(withLeftovers: true)
        for identity in state.virtualServers.keys {
            let servers = try ipvs.destinations(of: identity).map { ($0.location, $0.realServer) }
            state.virtualServers[identity]?.realServers = Dictionary(servers, uniquingKeysWith: { first, _ in first })
        }
        return state
    }

    /// Everything but real servers.
    private func observeFrame(withLeftovers: Bool = false) async throws(DataplaneError) -> NodeState {
        let device = try interfaces.device()
        var state = NodeState(virtualServers: try ipvs.headers().compactMap(\.virtualServer), hasDevice: device != nil)
        if let device {
            for address in try interfaces.addresses(on: device).on { state.addresses.updateValue(nil, forKey: address) }
        }
        for expected in catalogue.sets.values { state.sets[expected.name] = try sets.set(expected) }
        for rules in catalogue.rules.values { try await observeRules(rules, withLeftovers: withLeftovers, &state) }
        return state
    }

    private func observe(_ selection: Scope.Selection) async throws(DataplaneError) -> NodeState {
        var state = NodeState(hasDevice: try interfaces.device() != nil)
        if selection.frame { state = try await observeFrame() }
        for identity in selection.virtualServers {
            state.virtualServers[identity] = try ipvs.service(identity)?.virtualServer
        }
        for identity in selection.realServers.subtracting(selection.virtualServers) {
            // Beside a frame, which says what there is and how it is set, only its real servers are new.
            guard let server = selection.frame ? state.virtualServers[identity] : VirtualServer(identity) else { continue }
            state.virtualServers[identity] = try server.with(ipvs.destinations(of: identity).map(\.realServer))
        }
        guard !selection.frame else { return state }
        if !selection.addresses.isEmpty, let device = try interfaces.device() {
            for address in try interfaces.addresses(on: device).on.intersection(selection.addresses) {
                state.addresses.updateValue(nil, forKey: address)
            }
        }
        for name in selection.members.keys {
            guard let expected = catalogue.sets[name] else { continue }
            state.sets[name] = try sets.set(expected)
        }
        for family in selection.rules {
            guard let rules = catalogue.rules[family] else { continue }
            try await observeRules(rules, withLeftovers: true, &state)
        }
        return state
    }

    /// What other modes left is looked for at the start and where rules could not be changed, not in audits: who brings it back while we run is at work, and
    /// fighting that would help nobody.
    private func observeRules(_ catalogue: Rules, withLeftovers: Bool, _ state: inout NodeState) async throws(DataplaneError) {
        let family = catalogue.family
        let saved = try await iptables.saved(family)
        let listing = RulesText.listing(saved, catalogue: catalogue)
        drops.read(listing.dropped, of: family)
        var rules = listing.rules
        if let known = printed[family], known.saved.chains == rules.chains, known.isLikely { rules.chains = known.restored.chains }
        state.rules[family] = rules
        guard withLeftovers else { return }
        var left = LeftoverText.parse(saved, catalogue: catalogue)
        left.hasTable = try nftables.hasTable(Leftovers.tableName, family)
        if !left.isEmpty { state.leftovers[family] = left }
    }

    public func droppedPackets() -> [IPFamily: [Rules.Chain: UInt64]] { drops.totals }

    public func nodeAddresses() async throws -> Set<IPAddress> {
        try interfaces.addresses(on: try interfaces.device()).elsewhere
    }

    public nonisolated func nodeAddressChanges() -> AsyncThrowingStream<Void, any Error> { AddressWatch.changes() }

    // MARK: Applying

    public func apply(_ operations: [Operation]) async -> Report {
        var report = Report()
        var rest = operations[...]
        while let first = rest.first {
            let layer = first.layer
            let next = first.standsAlone ? rest.prefix(1) : rest.prefix { $0.layer == layer && !$0.standsAlone }
            rest = rest.dropFirst(next.count)
            // Only what came before this run can stand in its way, but for virtual servers, which come before their addresses anyway.
            let run = passing(next, &report)
            switch layer {
            case .ipvs: applyBatch(run, through: ipvs.socket, &report)
            case .sets: applySets(run, &report)
            case .interfaces: applyInterfaces(run, &report)
            case .rules: for operation in run { await applyRules(operation, &report) }
            case .flows: forgetFlows(run, &report)
            }
        }
        return report
    }

    /// Without those that something failed before.
    private func passing(_ operations: ArraySlice<Operation>, _ report: inout Report) -> ArraySlice<Operation> {
        guard !report.failures.isEmpty else { return operations }
        let obstacles = Obstacles(report.failures.lazy.map(\.operation))
        return operations.filter { operation in
            guard let obstacle = obstacles.obstacle(to: operation) else { return true }
            report.failures.append(.init(operation, reason: "waits for: \(obstacle)"))
            return false
        }[...]
    }

    /// Sends a message an operation, many at once.
    private func applyBatch(
        _ operations: ArraySlice<Operation>, device: UInt32 = 0, through socket: borrowing NetlinkSocket, _ report: inout Report
    ) {
        var batch = NetlinkBatch()
        var sent: [Operation] = []
        for operation in operations {
            do throws(NetlinkError) {
                guard let message = try message(for: operation, device: device) else { continue }
                try batch.add(message)
                sent.append(operation)
            } catch {
                report.failures.append(.init(operation, reason: error.description))
            }
        }
        for (index, error) in socket.execute(batch).sorted(by: { $0.key < $1.key }) where !sent[index].isFulfilled(by: error) {
            report.failures.append(.init(sent[index], reason: error.description, isRefusal: sent[index].isRefused(by: error)))
        }
    }

    private func message(for operation: Operation, device: UInt32) throws(NetlinkError) -> NetlinkMessage? {
        switch operation {
        case .addVirtualServer(let server): try ipvs.messages.newService(server)
        case .editVirtualServer(let server): try ipvs.messages.setService(server)
        case .deleteVirtualServer(let identity): try ipvs.messages.deleteService(identity)
        case .addRealServer(let identity, let server): try ipvs.messages.newDestination(server, of: identity)
        case .editRealServer(let identity, let server): try ipvs.messages.setDestination(server, of: identity)
        case .deleteRealServer(let identity, let location): try ipvs.messages.deleteDestination(location, of: identity)
        case .createSet(let set): try sets.create(set)
        case .addMember(let name, let member, _): try IPSetMessages.add(member, to: name)
        case .removeMember(let name, let member): try IPSetMessages.delete(member, from: name)
        case .destroySet(let name): try IPSetMessages.destroy(name)
        case .createDevice: try InterfaceMessages.newDummy(NodeState.deviceName)
        case .deleteDevice: try InterfaceMessages.deleteLink(NodeState.deviceName)
        case .bind(let address, _): try InterfaceMessages.newAddress(address, interface: device)
        case .unbind(let address): try InterfaceMessages.deleteAddress(address, interface: device)
        case .replaceSet, .restoreRules, .removeRules, .removeLeftoverRules, .deleteLeftoverTable, .forgetFlows: nil
        }
    }

    private func applySets(_ operations: ArraySlice<Operation>, _ report: inout Report) {
        guard case .replaceSet(let set)? = operations.first else { return applyBatch(operations, through: sets.socket, &report) }
        do {
            try sets.replace(set)
        } catch {
            report.failures.append(.init(.replaceSet(set), reason: error.reason))
        }
    }

    private func applyInterfaces(_ operations: ArraySlice<Operation>, _ report: inout Report) {
        var device: UInt32 = 0
        do throws(DataplaneError) {
            if operations.contains(where: \.needsDevice) {
                guard let found = try interfaces.device() else { throw DataplaneError("interface \(NodeState.deviceName)", "it is gone") }
                device = found
            }
        } catch {
            report.failures += operations.map { .init($0, reason: error.description) }
            return
        }
        applyBatch(operations, device: device, through: interfaces.socket, &report)
    }

    private func applyRules(_ operation: Operation, _ report: inout Report) async {
        do throws(DataplaneError) {
            switch operation {
            case .restoreRules(let rules, let missingJumps):
                // What they have counted goes with the rules.
                if drops.isCounting(rules.family) { drops.read(try await iptables.listing(catalogue: rules).dropped, of: rules.family) }
                try await iptables.restore(RulesText.restore(rules, missingJumps: missingJumps), rules.family)
                drops.restart(rules.family)
                let listing = try await iptables.listing(catalogue: rules)
                drops.read(listing.dropped, of: rules.family)
                printed[rules.family] = Printed(restored: rules, saved: listing.rules)
            case .removeRules(let rules):
                try await iptables.restore(RulesText.remove(rules), rules.family)
            case .removeLeftoverRules(let left): try await iptables.restore(RulesText.remove(left), left.family)
            case .deleteLeftoverTable(let family): try nftables.deleteTable(Leftovers.tableName, family)
            default: break
            }
        } catch {
            report.failures.append(.init(operation, reason: error.description))
        }
    }

    /// Nothing where the kernel cannot be asked: that was told at the start, and retrying would not help.
    private func forgetFlows(_ operations: ArraySlice<Operation>, _ report: inout Report) {
        guard conntrack.isSupported else { return }
        let clock = ContinuousClock()
        for family in IPFamily.allCases {
            let ofFamily = operations.filter { $0.virtualServer?.family == family }
            guard !ofFamily.isEmpty else { continue }
            let start = clock.now
            var servers: [AddressPort: Set<AddressPort>] = [:]
            for case .forgetFlows(let identity, let kept) in ofFamily { servers[identity.location] = kept }
            let outcome = conntrack.forget(servers, family)
            report.forgetting[family] = Report.Forgetting(flows: outcome.forgotten, duration: start.duration(to: clock.now))
            for operation in ofFamily {
                guard let location = operation.virtualServer?.location, let error = outcome.failures[location] else { continue }
                report.failures.append(.init(operation, reason: error.description))
            }
        }
    }
}

extension VirtualServer {
    fileprivate func with(_ servers: [RealServer]) -> VirtualServer {
        var copy = self
        copy.realServers = Dictionary(servers.map { ($0.location, $0) }, uniquingKeysWith: { first, _ in first })
        return copy
    }
}

extension Operation {
    fileprivate enum Layer { case ipvs, sets, interfaces, rules, flows }

    fileprivate var layer: Layer {
        switch self {
        case .createSet, .replaceSet, .addMember, .removeMember, .destroySet: .sets
        case .restoreRules, .removeRules, .removeLeftoverRules, .deleteLeftoverTable: .rules
        case .createDevice, .deleteDevice, .bind, .unbind: .interfaces
        case .addVirtualServer, .editVirtualServer, .deleteVirtualServer, .addRealServer, .editRealServer, .deleteRealServer: .ipvs
        case .forgetFlows: .flows
        }
    }

    /// Not part of a batch: what follows needs its result, or it is several requests.
    fileprivate var standsAlone: Bool {
        switch self {
        case .replaceSet, .createDevice, .deleteDevice: true
        default: false
        }
    }

    fileprivate var needsDevice: Bool {
        switch self {
        case .bind, .unbind: true
        default: false
        }
    }

    /// Whether the kernel will not have what was asked for, however often it is asked.
    ///
    /// A real server's address must be unicast, which a broadcast address of one of the node's networks is not (net/netfilter/ipvs/ip_vs_ctl.c
    /// `ip_vs_new_dest`); nothing else that we send is invalid to it.
    fileprivate func isRefused(by error: NetlinkError) -> Bool {
        guard case .addRealServer = self else { return false }
        return error.code == .kernel(.invalidArgument)
    }

    /// Whether a refusal means that what was asked for is so already.
    fileprivate func isFulfilled(by error: NetlinkError) -> Bool {
        guard case .kernel(let errno) = error.code else { return false }
        return switch self {
        case .deleteVirtualServer: errno == .noSuchProcess
        case .deleteRealServer: errno == .noSuchProcess || errno == .noSuchFileOrDirectory
        case .bind, .createDevice: errno == .fileExists
        case .unbind: errno == .addressNotAvailable
        case .deleteDevice: errno == .operationNotSupportedByDevice
        case .removeMember, .destroySet: errno == .noSuchFileOrDirectory
        default: false
        }
    }
}
