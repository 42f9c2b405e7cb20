internal import Algorithms
internal import Model
internal import Netlink
public import Reconciler
internal import SystemPackage

/// Applying operations.
extension KernelDataplane {
    public func apply(_ operations: [Operation]) async -> Report {
        var report = Report()
        var rest = operations[...]
        while let first = rest.first {
            let run = rest.prefix(1 + rest.dropFirst().prefix { $0.canShareBatch(with: first) }.count)
            rest = rest.dropFirst(run.count)
            switch first.layer {
            case .ipvs: report.failures += ipvs.socket.apply(run) { operation throws(NetlinkError) in try message(for: operation) }
            case .sets: report.failures += sets.apply(run)
            case .interfaces: applyInterfaces(run, &report)
            case .flows: flushConntrack(run, &report)
            case .rules: report.failures += run.map { .init($0, reason: "rules are for the packet filter") }
            }
        }
        return report
    }

    private func message(for operation: Operation, device: UInt32 = 0) throws(NetlinkError) -> NetlinkMessage? {
        switch operation {
        case .addVirtualServer(let server): try ipvs.messages.newService(server)
        case .editVirtualServer(let server): try ipvs.messages.setService(server)
        case .deleteVirtualServer(let identity): try ipvs.messages.deleteService(identity)
        case .addRealServer(let identity, let server): try ipvs.messages.newDestination(server, of: identity)
        case .editRealServer(let identity, let server): try ipvs.messages.setDestination(server, of: identity)
        case .deleteRealServer(let identity, let location): try ipvs.messages.deleteDestination(location, of: identity)
        case .createDevice: try InterfaceMessages.newDummy(NodeState.deviceName)
        case .deleteDevice: try InterfaceMessages.deleteLink(NodeState.deviceName)
        case .bind(let address, _): try InterfaceMessages.newAddress(address, interface: device)
        case .unbind(let address): try InterfaceMessages.deleteAddress(address, interface: device)
        case .addRoute(let address, let route): try RouteMessages.replace(address, route, interface: device)
        case .removeRoute(let address): try RouteMessages.delete(address, interface: device)
        case .createSet, .replaceSet, .addMember, .removeMember, .destroySet, .restoreRules, .removeRules, .removeLeftoverRules,
            .deleteLeftoverTable, .flushConntrack, .setDeviceUp:
            nil
        }
    }

    private func applyInterfaces(_ operations: ArraySlice<Operation>, _ report: inout Report) {
        var device: UInt32 = 0
        do throws(DataplaneError) {
            if operations.contains(where: \.needsDevice) {
                guard let found = try interfaces.device() else { throw DataplaneError("interface \(NodeState.deviceName)", "not found") }
                device = found
            }
        } catch {
            report.failures += operations.map { .init($0, reason: error.description) }
            return
        }
        if let operation = operations.first, case .setDeviceUp = operation {
            do throws(DataplaneError) {
                try interfaces.setUp(device)
            } catch {
                report.failures.append(.init(operation, reason: error.description))
            }
            return
        }
        var ready = Array(operations)
        do throws(DataplaneError) {
            let removed = operations.compactMap { if case .removeRoute(let address) = $0, address.family == .ipv6 { address } else { nil } }
            let missing = try interfaces.addressesWithoutKernelRoute(among: Set(removed), on: device)
            ready.removeAll { operation in
                guard case .removeRoute(let address) = operation, missing.contains(address) else { return false }
                report.failures.append(.init(operation, reason: "the kernel has not yet added its own route to the address"))
                return true
            }
        } catch {
            report.failures += operations.map { .init($0, reason: error.description) }
            return
        }
        report.failures += interfaces.socket.apply(ready) { operation throws(NetlinkError) in
            try message(for: operation, device: device)
        }
    }

    /// Does nothing if the kernel does not support it: that was logged at startup, and retrying would not help.
    private func flushConntrack(_ operations: ArraySlice<Operation>, _ report: inout Report) {
        guard conntrack.isSupported else { return }
        let clock = ContinuousClock()
        for family in IPFamily.allCases {
            let ofFamily = operations.filter { $0.virtualServer?.family == family }
            guard !ofFamily.isEmpty else { continue }
            let start = clock.now
            var servers: [AddressPort: Set<AddressPort>] = [:]
            for case .flushConntrack(let identity, let kept) in ofFamily { servers[identity.location] = kept }
            let outcome = conntrack.flush(servers, family)
            report.conntrackFlushes[family] = Report.ConntrackFlush(flows: outcome.deleted, duration: start.duration(to: clock.now))
            for operation in ofFamily {
                guard let location = operation.virtualServer?.location, let error = outcome.failures[location] else { continue }
                report.failures.append(.init(operation, reason: error.description))
            }
        }
    }
}

extension NetlinkSocket {
    /// Sends one message per operation, in batches, and returns the failures.
    ///
    /// - Parameter message: nil for an operation that needs none.
    borrowing func apply(
        _ operations: some RandomAccessCollection<Operation>, message: (Operation) throws(NetlinkError) -> NetlinkMessage?
    ) -> [OperationFailure] {
        var failures: [OperationFailure] = []
        // The messages of 4,096 operations take half a megabyte, which is used again for the next ones.
        for part in operations.chunks(ofCount: 4096) { apply(part, &failures, message) }
        return failures
    }

    private borrowing func apply(
        _ operations: some Collection<Operation>, _ failures: inout [OperationFailure],
        _ message: (Operation) throws(NetlinkError) -> NetlinkMessage?
    ) {
        var batch = NetlinkBatch()
        var sent: [Operation] = []
        for operation in operations {
            do throws(NetlinkError) {
                guard let message = try message(operation) else { continue }
                try batch.add(message)
                sent.append(operation)
            } catch {
                failures.append(.init(operation, reason: error.description))
            }
        }
        for (index, error) in execute(batch).sorted(by: { $0.key < $1.key }) where !sent[index].isFulfilled(by: error) {
            failures.append(
                .init(sent[index], reason: sent[index].explanation(of: error), isRefusal: sent[index].isRefused(by: error)))
        }
    }
}

/// How the kernel's errors apply to an operation.
extension Operation {
    var needsDevice: Bool {
        switch self {
        case .bind, .unbind, .addRoute, .removeRoute, .setDeviceUp: true
        default: false
        }
    }

    /// Whether the kernel refuses the operation permanently.
    ///
    /// A real server's address must be unicast, which a broadcast address of one of the node's networks is not
    /// (net/netfilter/ipvs/ip_vs_ctl.c `ip_vs_new_dest`); nothing else in the requests is invalid.
    func isRefused(by error: NetlinkError) -> Bool {
        guard case .addRealServer = self else { return false }
        return error.code == .kernel(.invalidArgument)
    }

    /// The error in words, with how to fix it if the kernel lacks what the operation needs.
    ///
    /// For an unknown kind of link, the kernel returns EOPNOTSUPP (net/core/rtnetlink.c `__rtnl_newlink`).
    func explanation(of error: NetlinkError) -> String {
        switch self {
        case .createDevice where error.code == .kernel(.notSupported): "\(error): \(ModuleLoading.advice("dummy"))"
        case .createSet(let set): IPSetFailure(error, kind: set.kind, capacity: set.capacity).description
        case .addMember(_, let member, _), .removeMember(_, let member): IPSetFailure(error, kind: member.kind).description
        case .destroySet: IPSetFailure(error).description
        case .replaceSet(let set) where error.code == .kernel(.resourceBusy):
            "the set has another type and cannot be replaced while rules refer to it: run nft delete table \(set.family.nftTable), which the "
                + "proxy creates again"
        default: error.description
        }
    }

    /// Whether the error means that the kernel already has the requested state.
    func isFulfilled(by error: NetlinkError) -> Bool {
        guard case .kernel(let errno) = error.code else { return false }
        return switch self {
        case .deleteVirtualServer, .removeRoute: errno == .noSuchProcess
        case .deleteRealServer: errno == .noSuchProcess || errno == .noSuchFileOrDirectory
        case .bind, .createDevice: errno == .fileExists
        case .unbind: errno == .addressNotAvailable
        case .deleteDevice: errno == .operationNotSupportedByDevice
        case .removeMember, .destroySet: errno == .noSuchFileOrDirectory
        default: false
        }
    }
}
