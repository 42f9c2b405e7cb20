internal import Model
internal import Reconciler

/// The changes that the kernel has announced, and when the loop observes them.
///
/// An announcement only says what to observe. What agrees with the mirror is ignored: it is a change by this program, or one that was observed
/// in the meantime. The first change of a part is observed at once; further ones after a wait that doubles, until no change is announced for
/// that time. So a program that fights with this one causes no more observations than audits do.
struct AnnouncedChanges: Sendable {
    /// What is observed at once.
    enum Part: Hashable, Sendable {
        case nodeAddresses
        case device
        case set(AddressSet.Name)
        case rules(IPFamily)
    }

    /// A part to observe.
    enum Demand: Hashable, Sendable {
        case nodeAddresses
        /// The device and everything on it, or only some addresses and routes.
        case device(Scope.Selection)
        case set(AddressSet.Name)
        case rules(IPFamily)
    }

    private struct Pace {
        var interval: Duration
        /// When the part may be observed again.
        var notBefore: Timestamp
    }

    /// The wait for changes that follow the first one, such as those of other sets.
    static let settling = Duration.milliseconds(10)
    /// The first wait after an observation.
    static let firstInterval = Duration.milliseconds(50)
    /// Node addresses change all the time on a node that starts many pods. Reading them repairs nothing, so that the wait stays the same.
    static let nodeAddressInterval = Duration.milliseconds(100)

    private let longestInterval: Duration
    private var due: [Part: Timestamp] = [:]
    private var paces: [Part: Pace] = [:]
    private var device = DeviceChanges()

    /// - Parameter longestInterval: the longest wait after an observation.
    init(longestInterval: Duration) { self.longestInterval = longestInterval }

    /// When the next part is due; nil if there is none.
    var nextDue: Timestamp? { due.values.min() }

    mutating func record(_ change: KernelChange, at now: Timestamp) {
        device.record(change)
        schedule(change.part, at: now)
    }

    /// Schedules the observation of a part.
    mutating func schedule(_ part: Part, at now: Timestamp) {
        guard due[part] == nil else { return }
        if let pace = paces[part], pace.notBefore.advanced(by: pace.interval) <= now { paces[part] = nil }
        let earliest = part == .nodeAddresses ? now : now.advanced(by: AnnouncedChanges.settling)
        due[part] = max(earliest, paces[part]?.notBefore ?? earliest)
    }

    /// Forgets the changes of parts that will be observed anyway.
    mutating func forget(_ isObservedAnyway: (Part) -> Bool) {
        guard !due.isEmpty else { return }
        due = due.filter { !isObservedAnyway($0.key) }
        if due[.device] == nil { device = DeviceChanges() }
    }

    /// Removes and returns the parts to observe now.
    mutating func take(_ mirror: NodeState, at now: Timestamp) -> [Demand] {
        guard let nextDue, nextDue <= now else { return [] }
        var demands: [Demand] = []
        for part in due.filter({ $0.value <= now }).keys {
            due[part] = nil
            guard let demand = demand(part, mirror) else { continue }
            demands.append(demand)
            let interval =
                part == .nodeAddresses
                ? AnnouncedChanges.nodeAddressInterval
                : paces[part].map { min($0.interval * 2, longestInterval) } ?? AnnouncedChanges.firstInterval
            paces[part] = Pace(interval: interval, notBefore: now.advanced(by: interval))
        }
        return demands
    }

    /// Returns nil if what was announced agrees with the mirror.
    private mutating func demand(_ part: Part, _ mirror: NodeState) -> Demand? {
        switch part {
        case .nodeAddresses: return .nodeAddresses
        case .set(let name): return .set(name)
        case .rules(let family): return .rules(family)
        case .device:
            let selection = device.differences(from: mirror)
            device = DeviceChanges()
            return selection.isEmpty ? nil : .device(selection)
        }
    }
}

/// What the kernel has announced of `kube-ipvs0`, its addresses and its routes: the last announcement of each counts.
private struct DeviceChanges {
    /// Whether announcements were lost.
    private var isUnknown = false
    /// Whether the device was deleted, or down, in the meantime: that removes addresses and routes, not all of which are announced.
    private var wasDeleted = false
    private var wasDown = false
    private var exists: Bool?
    private var addresses: [IPAddress: Bool] = [:]
    private var routes: [IPAddress: LocalRoute?] = [:]

    mutating func record(_ change: KernelChange) {
        switch change {
        case .anyOfDevice: isUnknown = true
        case .device(let exists, let isUp):
            self.exists = exists
            if !exists { wasDeleted = true } else if !isUp { wasDown = true }
        case .address(let address, let isBound): addresses[address] = isBound
        case .route(let address, let route): routes.updateValue(route, forKey: address)
        case .nodeAddresses, .set, .rules: break
        }
    }

    /// Returns what differs from the mirror.
    func differences(from mirror: NodeState) -> Scope.Selection {
        let isInterrupted = wasDeleted && mirror.hasDevice || wasDown && mirror.isDeviceUp
        if isUnknown || isInterrupted || exists.map({ $0 != mirror.hasDevice }) ?? false { return .init(device: true) }
        var selection = Scope.Selection()
        for (address, isBound) in addresses where isBound != (mirror.addresses.index(forKey: address) != nil) {
            // With the last IPv4 address of a device, the kernel removes all IPv4 routes over it, and does not announce that.
            if !isBound, !mirror.routes.isEmpty { return .init(device: true) }
            selection.addresses.insert(address)
        }
        for (address, route) in routes {
            let known = mirror.routes[address]
            if (known == nil) != (route == nil) || known?.source != route?.source { selection.addresses.insert(address) }
        }
        return selection
    }
}

extension KernelChange {
    fileprivate var part: AnnouncedChanges.Part {
        switch self {
        case .nodeAddresses: .nodeAddresses
        case .device, .anyOfDevice, .address, .route: .device
        case .set(let name): .set(name)
        case .rules(let family): .rules(family)
        }
    }
}
