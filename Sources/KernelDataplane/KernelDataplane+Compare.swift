internal import CNetlink
public import Model
public import Reconciler
internal import SystemCalls

/// Comparing the kernel state with the expected state, for audits.
extension KernelDataplane {
    public func compare(with expected: NodeState, in selection: Scope.Selection) async -> Comparison {
        // It does not suspend, and so runs on one thread.
        let start = CPUTime.ofThread
        defer { options.freeBuffer() }
        let result = Result { try findings(expected, selection) }
        return Comparison(result.mapError { $0 }, cost: CPUTime.ofThread - start)
    }

    private func findings(_ expected: NodeState, _ selection: Scope.Selection) throws(DataplaneError) -> Findings {
        var findings = Findings()
        if selection.headers { findings = try compareHeaders(expected) }
        for identity in selection.realServers {
            guard let server = expected.virtualServers[identity] else { continue }
            if try !hasExpectedRealServers(server) { findings.mismatches.realServers.insert(identity) }
        }
        var others = selection
        (others.headers, others.realServers) = (false, [])
        if others.device, expected.hasDevice, let device = try interfaces.link(), device.isUp || !expected.isDeviceUp {
            let (isEqual, elsewhere) = try interfaces.hasExpected(expected.addresses, on: device.index)
            findings.nodeAddresses = elsewhere
            let routes = try interfaces.routes(over: device.index)
            if isEqual, expected.routes.differences(from: routes).isEmpty { (others.device, others.addresses) = (false, []) }
        }
        for name in selection.members.keys {
            if let set = expected.sets[name], try sets.hasExpectedMembers(set) { others.members[name] = nil }
        }
        guard !others.isEmpty else { return findings }
        // Something differs: what, is read again completely.
        var nodeAddresses: Set<IPAddress>?
        let observed = try observe(others, &nodeAddresses)
        let rest = Findings(expected: expected, observed: observed, in: others)
        findings.mismatches.formUnion(rest.mismatches)
        findings.nodeAddresses = nodeAddresses ?? findings.nodeAddresses
        return findings
    }

    private func hasExpectedRealServers(_ server: VirtualServer) throws(DataplaneError) -> Bool {
        if let result = options.hasExpectedRealServers(server) { return result }
        return try ipvs.hasExpectedRealServers(server)
    }

    /// Compares all virtual servers, and the numbers of real servers of those of IPv4: the socket options leave out real servers of IPv6.
    private func compareHeaders(_ expected: NodeState) throws(DataplaneError) -> Findings {
        var findings = Findings()
        var families: Set<IPFamily> = [.ipv4, .ipv6]
        if let ofIPv4 = options.compareHeaders(with: expected) {
            findings = ofIPv4
            families = [.ipv6]
            // Without expected addresses of IPv6, the kernel has no such virtual server of this program, and the dump would return those of
            // IPv4 again.
            guard expected.hasIPv6 else { return findings }
        }
        var comparison = HeaderComparison(with: expected, in: families)
        for server in try ipvs.headers().lazy.compactMap(\.virtualServer) { comparison.add(server) }
        comparison.end(&findings)
        return findings
    }
}

extension NodeState {
    /// Whether any virtual server or address is of IPv6.
    fileprivate var hasIPv6: Bool {
        virtualServers.keys.contains { $0.family == .ipv6 } || addresses.keys.contains { $0.family == .ipv6 }
            || routes.keys.contains { $0.family == .ipv6 }
    }
}
