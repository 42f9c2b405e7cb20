public import Model

/// Compares virtual servers, without their real servers, one after the other as they are read, with the expected ones.
public struct HeaderComparison {
    private let expected: [VirtualServer.Identity: VirtualServer]
    private let families: Set<IPFamily>
    private var found: Set<VirtualServer.Identity> = []
    private var findings = Findings()

    /// - Parameters:
    ///   - expected: a state with the expected virtual servers.
    ///   - families: those to compare.
    public init(with expected: NodeState, in families: Set<IPFamily> = Set(IPFamily.allCases)) {
        self.expected = expected.virtualServers
        self.families = families
        found.reserveCapacity(self.expected.count)
    }

    /// Adds a virtual server that the kernel has.
    ///
    /// - Parameter realServerCount: the number of its real servers; nil if it is not known.
    public mutating func add(_ server: VirtualServer, realServerCount: Int? = nil) {
        let identity = server.identity
        guard families.contains(identity.family) else { return }
        guard let wanted = expected[identity] else {
            findings.unexpected.append(server)
            return
        }
        found.insert(identity)
        if !server.hasSameConfiguration(as: wanted) {
            findings.mismatches.virtualServers.insert(identity)
        } else if let realServerCount, realServerCount != wanted.realServers.count {
            findings.mismatches.realServers.insert(identity)
        }
    }

    /// Adds what differs to findings, including the expected virtual servers that were not added.
    public func end(_ all: inout Findings) {
        all.mismatches.formUnion(findings.mismatches)
        all.unexpected += findings.unexpected
        guard found.count < expected.count else { return }
        for identity in expected.keys where families.contains(identity.family) && !found.contains(identity) {
            all.mismatches.virtualServers.insert(identity)
        }
    }
}

/// Compares the real servers of a virtual server, one after the other as they are read, with the expected ones. It allocates no memory.
public struct RealServerComparison {
    private let expected: VirtualServer
    private var matches = 0
    private var isDifferent = false

    /// - Parameter expected: a virtual server with the expected real servers.
    public init(with expected: VirtualServer) { self.expected = expected }

    /// The number of expected real servers.
    public var expectedCount: Int { expected.realServers.count }

    /// Adds a real server that the kernel has.
    public mutating func add(_ found: RealServer) {
        guard expected.realServers[found.location]?.hasSameConfiguration(as: found) ?? false else {
            isDifferent = true
            return
        }
        matches += 1
    }

    /// Whether exactly the expected real servers were added.
    public var isEqual: Bool { !isDifferent && matches == expectedCount }
}
