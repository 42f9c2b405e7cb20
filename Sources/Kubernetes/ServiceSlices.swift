internal import Algorithms
public import Model

/// The slices of one Service, sorted by name.
///
/// Almost all Services have one slice, for which a dictionary would take three times the memory.
public struct ServiceSlices: Hashable, Sendable {
    /// Sorted by name.
    public private(set) var all: [EndpointSlice] = []

    public init() {}

    public var isEmpty: Bool { all.isEmpty }
    public var count: Int { all.count }

    /// The slice with a name. Setting one with another name is not allowed.
    public subscript(name: NamespacedName) -> EndpointSlice? {
        get {
            let index = index(of: name)
            return index < all.count && all[index].metadata.namespacedName == name ? all[index] : nil
        }
        set {
            let index = index(of: name)
            let isFound = index < all.count && all[index].metadata.namespacedName == name
            switch (newValue, isFound) {
            case (let slice?, true): all[index] = slice
            case (let slice?, false): all.insert(slice, at: index)
            case (nil, true): all.remove(at: index)
            case (nil, false): break
            }
        }
    }

    /// The index of a name, or the one at which it would be inserted.
    private func index(of name: NamespacedName) -> Int {
        all.partitioningIndex { !($0.metadata.namespacedName < name) }
    }
}
