import Model
import Reconciler
import Testing

private func address(_ text: String) -> IPAddress { IPAddress(text) ?? IPAddress(v4: 0) }

private let (a, b, six) = (address("10.96.0.1"), address("10.96.0.2"), address("fd00:96::1"))
private let (node, other) = (address("10.99.0.2"), address("10.99.0.3"))

private func state(addresses: [IPAddress] = [], routes: [IPAddress: IPAddress?] = [:], isUp: Bool = false) -> NodeState {
    var state = NodeState(addresses: Dictionary(uniqueKeysWithValues: addresses.map { ($0, nil) }), hasDevice: true)
    state.routes = routes.mapValues { LocalRoute(source: $0) }
    state.isDeviceUp = isUp
    return state
}

private struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var observed: NodeState
    var desired: NodeState
    var operations: [Operation]

    init(_ name: String, _ observed: NodeState, _ desired: NodeState, _ operations: [Operation]) {
        (testDescription, self.observed, self.desired, self.operations) = (name, observed, desired, operations)
    }
}

private let cases = [
    Case("new", state(), state(routes: [b: node, a: nil]), [.addRoute(a, LocalRoute()), .addRoute(b, LocalRoute(source: node))]),
    Case("unchanged", state(routes: [a: node]), state(routes: [a: node]), []),
    Case("another source", state(routes: [a: node]), state(routes: [a: other]), [.addRoute(a, LocalRoute(source: other))]),
    Case("a source that the node no longer has", state(routes: [a: node]), state(routes: [a: nil]), [.addRoute(a, LocalRoute())]),
    Case("left over", state(routes: [a: node, b: nil]), state(), [.removeRoute(a), .removeRoute(b)]),
    Case(
        "addresses become routes: none is removed before all are added, and the anchor keeps the routes",
        state(addresses: [a, b]), state(addresses: [LocalRoute.anchor], routes: [a: node, b: node]),
        [
            .bind(LocalRoute.anchor, nil), .addRoute(a, LocalRoute(source: node)), .addRoute(b, LocalRoute(source: node)), .unbind(a),
            .unbind(b),
        ]),
    Case(
        "routes become addresses", state(addresses: [LocalRoute.anchor], routes: [a: node]), state(addresses: [a]),
        [.bind(a, nil), .unbind(LocalRoute.anchor), .removeRoute(a)]),
    Case(
        "the device is set up before IPv6 routes", state(),
        {
            var wanted = state(routes: [six: nil]); wanted.isDeviceUp = true; return wanted
        }(),
        [.setDeviceUp, .addRoute(six, LocalRoute())]),
    Case("a device that is up stays up", state(isUp: true), state(), []),
]

@Suite struct `Routes in a plan` {
    @Test(arguments: cases) private func `are planned like addresses, and all additions come first`(example: Case) {
        let plan = Plan(from: example.observed, to: example.desired, drainTimeout: .zero, now: .seconds(0))
        #expect(plan.operations == example.operations)
        let addresses = Set([example.observed, example.desired].flatMap { Array($0.addresses.keys) + $0.routes.keys })
        let scope = Scope.only(.init(addresses: addresses))
        #expect(Plan(from: example.observed, to: example.desired, scope: scope, drainTimeout: .zero, now: .seconds(0)) == plan)
    }

    @Test func `are not removed while removals are suspended, but get another source`() {
        let plan = Plan(
            from: state(routes: [a: node, b: node]), to: state(routes: [b: other]), drainTimeout: .zero, now: .seconds(0),
            suspendsRemovals: true)
        #expect(plan.operations == [.addRoute(b, LocalRoute(source: other))])
    }

    @Test func `stay until the address that replaces them is bound, and the other way around`() {
        let bind = UnmetDependencies(failed: [.bind(a, nil)])
        #expect(bind.dependency(of: .removeRoute(a)) == .operation(.bind(a, nil)) && bind.dependency(of: .removeRoute(b)) == nil)
        let route = Operation.addRoute(a, LocalRoute(source: node))
        #expect(UnmetDependencies(failed: [route]).dependency(of: .unbind(a)) == .operation(route))
        #expect(UnmetDependencies(failed: [route]).dependency(of: .unbind(b)) == nil)
    }

    @Test func `stay because no IPv4 address is removed without the anchor`() {
        let anchor = Operation.bind(LocalRoute.anchor, nil)
        let unmet = UnmetDependencies(failed: [anchor])
        #expect(unmet.dependency(of: .unbind(a)) == .operation(anchor) && unmet.dependency(of: .unbind(six)) == nil)
        let bind = Operation.bind(a, nil)
        #expect(UnmetDependencies(failed: [bind]).dependency(of: .unbind(LocalRoute.anchor)) == .operation(bind))
        #expect(UnmetDependencies(failed: [.bind(six, nil)]).dependency(of: .unbind(LocalRoute.anchor)) == nil)
    }

    @Test func `are added only after what addresses need, and those of IPv6 after the device is up`() {
        let (four, route) = (Operation.addRoute(a, LocalRoute()), Operation.addRoute(six, LocalRoute()))
        let server = VirtualServer(.init(.tcp, AddressPort(a, 80)))
        for failed in [Operation.createDevice, .addVirtualServer(server), .addMember(.init("A"), .address(a), nil)] {
            #expect(UnmetDependencies(failed: [failed]).dependency(of: four) == .operation(failed))
        }
        #expect(UnmetDependencies(failed: [], rules: [.ipv4]).dependency(of: four) == .rules(.ipv4))
        let up = UnmetDependencies(failed: [.setDeviceUp])
        #expect(up.dependency(of: route) == .operation(.setDeviceUp) && up.dependency(of: four) == nil)
    }
}

@Suite struct `Observed routes` {
    private func reconciler(_ state: NodeState, desired: NodeState) -> Reconciler {
        var reconciler = Reconciler(drainTimeout: .zero)
        reconciler.merge(state, of: .everything, desired: desired, at: .seconds(0)) { _ in true }
        _ = reconciler.nextPlan(for: desired, at: .seconds(0))
        return reconciler
    }

    @Test func `of some addresses replace only those in the mirror`() {
        let desired = state(routes: [a: node, b: node])
        var reconciler = reconciler(desired, desired: desired)
        reconciler.merge(state(), of: .only(.init(addresses: [a])), desired: desired, at: .seconds(0)) { _ in true }
        #expect(reconciler.mirror.routes.keys.map(\.self) == [b])
        #expect(reconciler.plan(for: desired, at: .seconds(0)).operations == [.addRoute(a, LocalRoute(source: node))])
    }

    @Test func `are all read again if the device is found down, as the kernel has removed those of IPv6`() {
        var desired = state(routes: [six: nil, a: nil])
        desired.isDeviceUp = true
        var reconciler = reconciler(desired, desired: desired)
        reconciler.merge(state(routes: [a: nil]), of: .only(.init(addresses: [a])), desired: desired, at: .seconds(0)) { _ in true }
        #expect(reconciler.scopeToObserve == .only(.init(device: true)))
        reconciler.merge(state(routes: [a: nil]), of: .only(.init(device: true)), desired: desired, at: .seconds(0)) { _ in true }
        #expect(reconciler.scopeToObserve.isEmpty)
        #expect(reconciler.plan(for: desired, at: .seconds(0)).operations == [.setDeviceUp, .addRoute(six, LocalRoute())])
    }
}
