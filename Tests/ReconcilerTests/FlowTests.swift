import Model
import Reconciler
import TestSupport
import Testing

private func identity(_ transport: Transport = .udp, port: UInt16 = 53) -> VirtualServer.Identity {
    VirtualServer.Identity(transport, AddressPort(IPAddress(v4: 0x0a60_000a), port))
}

private func pod(_ number: UInt32, port: UInt16 = 5353, weight: UInt32 = 1) -> RealServer {
    RealServer(AddressPort(IPAddress(v4: 0x0af4_0000 + number), port), weight: weight)
}

private func state(_ servers: [RealServer], _ transport: Transport = .udp) -> NodeState {
    NodeState(virtualServers: [VirtualServer(identity(transport), realServers: servers)], hasDevice: true)
}

private let nothing = NodeState(hasDevice: true)

private func plan(_ observed: NodeState, _ desired: NodeState, suspendsRemovals: Bool = false) -> Plan {
    Plan(from: observed, to: desired, drainTimeout: .seconds(900), now: .seconds(0), suspendsRemovals: suspendsRemovals)
}

/// The conntrack flushes of a plan.
private func flushed(_ observed: NodeState, _ desired: NodeState) -> [Operation] {
    plan(observed, desired).operations.filter { $0.kind == .flushConntrack }
}

@Suite struct `UDP conntrack entries` {
    @Test func `that predate their virtual server are flushed when it is added`() {
        let servers = [pod(1), pod(2), pod(3, weight: 0)]
        #expect(flushed(nothing, state(servers)) == [.flushConntrack(identity(), except: [pod(1).location, pod(2).location])])
        #expect(flushed(nothing, state([])) == [.flushConntrack(identity(), except: [])])
    }

    @Test func `of a removed virtual server are all flushed`() {
        #expect(flushed(state([pod(1)]), nothing) == [.flushConntrack(identity(), except: [])])
    }

    @Test func `to a removed real server are flushed, others are kept`() {
        #expect(flushed(state([pod(1), pod(2)]), state([pod(2)])) == [.flushConntrack(identity(), except: [pod(2).location])])
        #expect(flushed(state([pod(1), pod(2)]), state([])) == [.flushConntrack(identity(), except: [])])
    }

    @Test func `to the old port of a real server are flushed`() {
        let desired = state([pod(1, port: 5454)])
        #expect(flushed(state([pod(1)]), desired) == [.flushConntrack(identity(), except: [pod(1, port: 5454).location])])
    }

    @Test func `to a real server whose weight becomes 0 are flushed`() {
        #expect(
            flushed(state([pod(1), pod(2)]), state([pod(1, weight: 0), pod(2)])) == [
                .flushConntrack(identity(), except: [pod(2).location])
            ])
    }

    @Test func `are flushed when the first real server is added`() {
        for observed in [state([]), state([pod(1, weight: 0)])] {
            #expect(flushed(observed, state([pod(1)])) == [.flushConntrack(identity(), except: [pod(1).location])])
        }
    }

    @Test func `are kept if only real servers are added, or weights or the scheduler change`() {
        var hashed = state([pod(1)])
        hashed.virtualServers[identity()]?.scheduler = .maglevHash
        for desired in [state([pod(1)]), state([pod(1), pod(2)]), state([pod(1, weight: 7)]), hashed] {
            #expect(flushed(state([pod(1)]), desired).isEmpty)
        }
    }

    @Test(arguments: [Transport.tcp, .sctp]) func `are the only ones flushed: entries of other protocols are kept`(transport: Transport) {
        for (observed, desired) in [(nothing, state([pod(1)], transport)), (state([pod(1)], transport), nothing)] {
            #expect(!plan(observed, desired).isEmpty && flushed(observed, desired).isEmpty)
        }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `are flushed once per virtual server that is added, removed or loses a real server, and for no other`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let observed = NodeState.random(using: &generator, isObserved: true)
        let desired = NodeState.random(using: &generator, isObserved: false)
        let operations = plan(observed, desired).operations
        var flushed: [VirtualServer.Identity] = []
        for case .flushConntrack(let identity, let kept) in operations {
            flushed.append(identity)
            #expect(kept == Set(desired.virtualServers[identity]?.realServers.locations.map(\.self) ?? []))
        }
        let changed = operations.filter { [.addVirtualServer, .deleteVirtualServer, .deleteRealServer].contains($0.kind) }
        let needed = Set(changed.compactMap(\.virtualServer)).filter { $0.transport == .udp }
        #expect(flushed == Set(flushed).sorted())
        #expect(needed.isSubset(of: flushed))
        for identity in flushed where !needed.contains(identity) {
            #expect(observed.virtualServers[identity]?.realServers.allSatisfy { $0.weight == 0 } == true, "\(identity)")
        }
    }

    @Test func `of a virtual server that is kept while removals are suspended are kept too`() {
        #expect(plan(state([pod(1)]), nothing, suspendsRemovals: true).isEmpty)
        // The removal of a real server is not suspended.
        let kinds = plan(state([pod(1), pod(2)]), state([pod(2)]), suspendsRemovals: true).operations.map(\.kind)
        #expect(kinds == [.deleteRealServer, .flushConntrack])
    }

    @Test func `are flushed only after their address is bound`() {
        let address = identity().location.address
        let bind = Operation.bind(address, nil)
        let flush = Operation.flushConntrack(identity(), except: [])
        #expect(UnmetDependencies(failed: [bind]).dependency(of: flush) == .operation(bind))
        let others = UnmetDependencies(failed: [.bind(IPAddress(v4: 1), nil), .addVirtualServer(VirtualServer(identity(.tcp)))])
        #expect(others.dependency(of: flush) == nil)
    }
}

@Suite struct `Conntrack entries that failed to be flushed` {
    private func reconciler(_ desired: NodeState, from observed: NodeState) -> Reconciler {
        var reconciler = Reconciler(drainTimeout: .seconds(60))
        reconciler.merge(observed, of: .everything, desired: desired, at: .seconds(0)) { _ in true }
        return reconciler
    }

    private let flushScope = Scope.only(.init(flows: [identity()]))

    @Test func `are planned again although the states are equal, with the current real servers`() {
        var reconciler = reconciler(state([pod(1)]), from: state([pod(1), pod(2)]))
        let plan = reconciler.carryOut(state([pod(1)])) { $0.kind == .flushConntrack }
        #expect(plan.operations.map(\.kind) == [.deleteRealServer, .flushConntrack])
        #expect(!reconciler.needsPlanning && reconciler.scopeToObserve.isEmpty, "another observation would show nothing new")
        reconciler.markForPlanning(flushScope)
        #expect(reconciler.carryOut(state([pod(1)])).operations == [.flushConntrack(identity(), except: [pod(1).location])])
        reconciler.markForPlanning(flushScope)
        reconciler.markForPlanning(.only(.init(virtualServers: [identity()])))
        let operations = reconciler.carryOut(state([pod(1), pod(3)])).operations
        #expect(
            operations == [.addRealServer(identity(), pod(3)), .flushConntrack(identity(), except: [pod(1).location, pod(3).location])])
    }

    @Test func `of a removed virtual server are planned again`() {
        var reconciler = reconciler(nothing, from: state([pod(1)]))
        reconciler.carryOut(nothing) { $0.kind == .flushConntrack }
        reconciler.markForPlanning(flushScope)
        #expect(reconciler.carryOut(nothing).operations == [.flushConntrack(identity(), except: [])])
    }

    /// While removals are suspended, it keeps serving, and its conntrack entries are kept.
    @Test func `of an undesired virtual server that is kept are flushed, except those to its real servers`() {
        var reconciler = reconciler(state([pod(1)]), from: state([pod(1), pod(2)]))
        reconciler.carryOut(state([pod(1)])) { $0.kind == .flushConntrack }
        reconciler.markForPlanning(.only(.init(virtualServers: [identity()])))
        #expect(reconciler.carryOut(nothing, suspendsRemovals: true).isEmpty)
        reconciler.markForPlanning(flushScope)
        #expect(
            reconciler.carryOut(nothing, suspendsRemovals: true).operations == [.flushConntrack(identity(), except: [pod(1).location])])
    }
}
