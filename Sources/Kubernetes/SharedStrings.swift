internal import Model

/// Strings of which many objects have the same, such as names of nodes: each is kept once.
///
/// Swift stores a string of more than 15 bytes on the heap, and each decoded object has its own copy.
struct SharedStrings {
    private var strings: Set<String> = []

    /// Beyond this number, as in a cluster whose nodes come and go, all are forgotten: later objects share new copies.
    private static let limit = 16384
    private static let inlineBytes = 15

    /// Returns the same string in the storage of the first one.
    mutating func shared(_ string: String) -> String {
        guard string.utf8.count > SharedStrings.inlineBytes else { return string }
        if let index = strings.firstIndex(of: string) { return strings[index] }
        if strings.count >= SharedStrings.limit { strings = [] }
        strings.insert(string)
        return string
    }
}

extension Service {
    /// The families of almost all Services.
    private static let singleStack: [[IPFamily]] = [[.ipv4], [.ipv6]]

    private static let anySelector = ["": ""]

    /// Drops what is of no use to a node proxy, and shares the list of families with other Services.
    mutating func dropUnused() {
        if !selector.isEmpty { selector = Service.anySelector }
        if let families = Service.singleStack.first(where: { $0 == ipFamilies }) { ipFamilies = families }
        ipFamilyPolicy = nil
    }
}

extension EndpointSlice {
    /// Shares the strings of unchanged endpoints with the slice before, whose strings the desired state has, and those of nodes with all
    /// slices.
    mutating func shareStrings(with before: EndpointSlice?, _ strings: inout SharedStrings) {
        for index in endpoints.indices {
            if let before, index < before.endpoints.count, before.endpoints[index] == endpoints[index] {
                endpoints[index] = before.endpoints[index]
            } else if let name = endpoints[index].nodeName {
                endpoints[index].nodeName = strings.shared(name)
            }
        }
    }
}
