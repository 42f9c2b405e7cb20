internal import Algorithms

/// The real servers of a virtual server, sorted by location, each location once.
///
/// An array and not a dictionary: it takes a third of the memory, and two of them are compared in one pass. The cost of a change is
/// proportional to the number of real servers, however many change at once.
public struct RealServers: Hashable, Sendable {
    private var sorted: [RealServer]

    /// - Parameter servers: of those with the same location, the first is kept.
    public init(_ servers: some Sequence<RealServer>) {
        sorted = Array(servers)
        guard !isSorted else { return }
        let unique = Dictionary(sorted.map { ($0.location, $0) }, uniquingKeysWith: { first, _ in first })
        sorted = unique.values.sorted { $0.location < $1.location }
    }

    /// Whether each location is above the one before.
    private var isSorted: Bool {
        for index in sorted.indices.dropFirst() where !(sorted[index - 1].location < sorted[index].location) { return false }
        return true
    }

    // MARK: One real server

    /// The real server at a location. Setting one with another location is not allowed.
    public subscript(location: AddressPort) -> RealServer? {
        get {
            let index = index(of: location)
            return index < sorted.count && sorted[index].location == location ? sorted[index] : nil
        }
        set {
            let index = index(of: location)
            let isFound = index < sorted.count && sorted[index].location == location
            switch (newValue, isFound) {
            case (let server?, true): sorted[index] = server
            case (let server?, false): sorted.insert(server, at: index)
            case (nil, true): sorted.remove(at: index)
            case (nil, false): break
            }
        }
    }

    /// The index of a location, or the one at which it would be inserted.
    private func index(of location: AddressPort) -> Int {
        sorted.partitioningIndex { !($0.location < location) }
    }

    // MARK: All real servers

    /// Applies changes by location: the new real server, or nil to remove it.
    public mutating func apply(_ changes: [AddressPort: RealServer?]) {
        if changes.count == 1, let change = changes.first {
            self[change.key] = change.value
            return
        }
        if !sorted.isEmpty { sorted.removeAll { changes[$0.location] != nil } }
        let added = changes.values.compactMap(\.self).sorted { $0.location < $1.location }
        guard let last = sorted.last, let first = added.first else {
            if sorted.isEmpty { sorted = added }
            return
        }
        sorted += added
        if !(last.location < first.location) { sorted.sort { $0.location < $1.location } }
    }

    public var locations: some Collection<AddressPort> { sorted.lazy.map(\.location) }

    /// Calls `body` with each location's real server in both, in order of the locations; nil where there is none.
    public func compare(with other: RealServers, _ body: (_ mine: RealServer?, _ other: RealServer?) -> Void) {
        var (index, otherIndex) = (0, 0)
        while index < sorted.count {
            guard otherIndex < other.sorted.count, other.sorted[otherIndex].location <= sorted[index].location else {
                body(sorted[index], nil)
                index += 1
                continue
            }
            if other.sorted[otherIndex].location == sorted[index].location {
                body(sorted[index], other.sorted[otherIndex])
                index += 1
            } else {
                body(nil, other.sorted[otherIndex])
            }
            otherIndex += 1
        }
        for server in other.sorted[otherIndex...] { body(nil, server) }
    }

    /// Whether both have the same locations and `isAlike` is true for each pair; stops at the first difference.
    public func isAlike(_ other: RealServers, _ isAlike: (RealServer, RealServer) -> Bool) -> Bool {
        count == other.count && zip(sorted, other.sorted).allSatisfy { $0.location == $1.location && isAlike($0, $1) }
    }

    /// Returns the real servers with changed values. Their locations must stay the same.
    public func mapValues(_ transform: (RealServer) -> RealServer) -> RealServers { RealServers(sorted.map(transform)) }
}

extension RealServers: RandomAccessCollection {
    public var startIndex: Int { 0 }
    public var endIndex: Int { sorted.count }
    public subscript(index: Int) -> RealServer { sorted[index] }
}

extension RealServers: ExpressibleByArrayLiteral {
    public init(arrayLiteral servers: RealServer...) { self.init(servers) }
}
