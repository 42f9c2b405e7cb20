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

/// What a plan has forgotten.
private func forgotten(_ observed: NodeState, _ desired: NodeState) -> [Operation] {
    plan(observed, desired).operations.filter { $0.kind == .flushConntrack }
}

@Suite struct `UDP flows` {
    @Test func `that began before their virtual server was there are forgotten when it comes`() {
        let servers = [pod(1), pod(2), pod(3, weight: 0)]
        #expect(forgotten(nothing, state(servers)) == [.flushConntrack(identity(), except: [pod(1).location, pod(2).location])])
        #expect(forgotten(nothing, state([])) == [.flushConntrack(identity(), except: [])])
    }

    @Test func `of a virtual server that goes are all forgotten`() {
        #expect(forgotten(state([pod(1)]), nothing) == [.flushConntrack(identity(), except: [])])
    }

    @Test func `to a real server that goes are forgotten, others stay`() {
        #expect(forgotten(state([pod(1), pod(2)]), state([pod(2)])) == [.flushConntrack(identity(), except: [pod(2).location])])
        #expect(forgotten(state([pod(1), pod(2)]), state([])) == [.flushConntrack(identity(), except: [])])
    }

    @Test func `to the old port of a real server are forgotten`() {
        let desired = state([pod(1, port: 5454)])
        #expect(forgotten(state([pod(1)]), desired) == [.flushConntrack(identity(), except: [pod(1, port: 5454).location])])
    }

    @Test func `to a real server that loses its weight are forgotten`() {
        #expect(
            forgotten(state([pod(1), pod(2)]), state([pod(1, weight: 0), pod(2)])) == [
                .flushConntrack(identity(), except: [pod(2).location])
            ])
    }

    @Test func `are forgotten when the first real server comes`() {
        for observed in [state([]), state([pod(1, weight: 0)])] {
            #expect(forgotten(observed, state([pod(1)])) == [.flushConntrack(identity(), except: [pod(1).location])])
        }
    }

    @Test func `are left alone where real servers are only added or weighed, or the scheduler changes`() {
        var hashed = state([pod(1)])
        hashed.virtualServers[identity()]?.scheduler = .maglevHash
        for desired in [state([pod(1)]), state([pod(1), pod(2)]), state([pod(1, weight: 7)]), hashed] {
            #expect(forgotten(state([pod(1)]), desired).isEmpty)
        }
    }

    @Test(arguments: [Transport.tcp, .sctp]) func `are all that is forgotten: those of other protocols stay`(transport: Transport) {
        for (observed, desired) in [(nothing, state([pod(1)], transport)), (state([pod(1)], transport), nothing)] {
            #expect(!plan(observed, desired).isEmpty && forgotten(observed, desired).isEmpty)
        }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `are forgotten once wherever a virtual server comes, goes or loses a real server, and nowhere else`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let observed = NodeState.random(using: &generator, isObserved: true)
        let desired = NodeState.random(using: &generator, isObserved: false)
        let operations = plan(observed, desired).operations
        var forgotten: [VirtualServer.Identity] = []
        for case .flushConntrack(let identity, let kept) in operations {
            forgotten.append(identity)
            #expect(kept == Set(desired.virtualServers[identity]?.realServers.keys.map(\.self) ?? []))
        }
        let changed = operations.filter { [.addVirtualServer, .deleteVirtualServer, .deleteRealServer].contains($0.kind) }
        let needed = Set(changed.compactMap(\.virtualServer)).filter { $0.transport == .udp }
        #expect(forgotten == Set(forgotten).sorted())
        #expect(needed.isSubset(of: forgotten))
        for identity in forgotten where !needed.contains(identity) {
            #expect(observed.virtualServers[identity]?.realServers.values.allSatisfy { $0.weight == 0 } == true, "\(identity)")
        }
    }

    @Test func `of a virtual server that stays while nothing is removed stay too`() {
        #expect(plan(state([pod(1)]), nothing, suspendsRemovals: true).isEmpty)
        // A real server that goes is no such removal.
        let kinds = plan(state([pod(1), pod(2)]), state([pod(2)]), suspendsRemovals: true).operations.map(\.kind)
        #expect(kinds == [.deleteRealServer, .flushConntrack])
    }

    @Test func `wait until their address is bound`() {
        let address = identity().location.address
        let bind = Operation.bind(address, nil)
        let forget = Operation.flushConntrack(identity(), except: [])
        #expect(UnmetDependencies(failed: [bind]).dependency(of: forget) == .operation(bind))
        let others = UnmetDependencies(failed: [.bind(IPAddress(v4: 1), nil), .addVirtualServer(VirtualServer(identity(.tcp)))])
        #expect(others.dependency(of: forget) == nil)
    }
}

@Suite struct `Flows that could not be forgotten` {
    private func reconciler(_ desired: NodeState, from observed: NodeState) -> Reconciler {
        var reconciler = Reconciler(drainTimeout: .seconds(60))
        reconciler.adopt(observed, of: .everything, desired: desired, at: .seconds(0)) { _ in true }
        return reconciler
    }

    private let again = Scope.only(.init(flows: [identity()]))

    @Test func `are planned again though the states are the same, with the real servers of then`() {
        var reconciler = reconciler(state([pod(1)]), from: state([pod(1), pod(2)]))
        let plan = reconciler.carryOut(state([pod(1)])) { $0.kind == .flushConntrack }
        #expect(plan.operations.map(\.kind) == [.deleteRealServer, .flushConntrack])
        #expect(!reconciler.hasSomethingToPlan && reconciler.scopeToObserve.isEmpty, "no observation tells more")
        reconciler.planAgain(again)
        #expect(reconciler.carryOut(state([pod(1)])).operations == [.flushConntrack(identity(), except: [pod(1).location])])
        reconciler.planAgain(again)
        reconciler.planAgain(.only(.init(virtualServers: [identity()])))
        let operations = reconciler.carryOut(state([pod(1), pod(3)])).operations
        #expect(
            operations == [.addRealServer(identity(), pod(3)), .flushConntrack(identity(), except: [pod(1).location, pod(3).location])])
    }

    @Test func `of a virtual server that is gone are planned again`() {
        var reconciler = reconciler(nothing, from: state([pod(1)]))
        reconciler.carryOut(nothing) { $0.kind == .flushConntrack }
        reconciler.planAgain(again)
        #expect(reconciler.carryOut(nothing).operations == [.flushConntrack(identity(), except: [])])
    }

    /// While nothing is removed it serves on, and its flows with it.
    @Test func `of a virtual server that is kept though nobody wants it spare its real servers`() {
        var reconciler = reconciler(state([pod(1)]), from: state([pod(1), pod(2)]))
        reconciler.carryOut(state([pod(1)])) { $0.kind == .flushConntrack }
        reconciler.planAgain(.only(.init(virtualServers: [identity()])))
        #expect(reconciler.carryOut(nothing, suspendsRemovals: true).isEmpty)
        reconciler.planAgain(again)
        #expect(
            reconciler.carryOut(nothing, suspendsRemovals: true).operations == [.flushConntrack(identity(), except: [pod(1).location])])
    }
}
