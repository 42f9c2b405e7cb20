internal import Model

/// The order in which ipvsadm lists a table (libipvs.c, `ipvs_cmp_services` and `ipvs_cmp_dests`).
///
/// It takes the difference of two 32-bit numbers for a signed one, so that addresses go round in a circle: 192.0.2.9 stands before 10.96.0.10. Such a
/// comparison is no order, and what comes out depends on how it is sorted: by merging halves, as the C library's qsort does.
enum IPVSOrder {
    static func sorted(_ services: [IPVSService]) -> [IPVSService] {
        mergeSorted(services[...]) { compare(key($0), key($1)) <= 0 }
    }

    static func sorted(_ destinations: [IPVSDestination]) -> [IPVSDestination] {
        mergeSorted(destinations[...]) { compare(key($0.location), key($1.location)) <= 0 }
    }

    /// Mark, family, protocol, address in words of 32 bits, port.
    private static func key(_ service: IPVSService) -> [UInt32] {
        switch service.key {
        case .firewallMark(let mark, let family): [mark, family == .ipv4 ? 0 : 1]
        case .address(let number, let location): [0, location.address.family == .ipv4 ? 0 : 1, UInt32(number)] + key(location)
        }
    }

    private static func key(_ location: AddressPort) -> [UInt32] {
        let bytes = location.address.bytes
        let words = stride(from: 0, to: bytes.count, by: 4).map { bytes[$0..<($0 + 4)].reduce(0) { $0 << 8 | UInt32($1) } }
        return words + [UInt32(location.port)]
    }

    private static func compare(_ a: [UInt32], _ b: [UInt32]) -> Int32 {
        zip(a, b).lazy.map { Int32(bitPattern: $0 &- $1) }.first { $0 != 0 } ?? 0
    }

    private static func mergeSorted<Element>(_ elements: ArraySlice<Element>, _ isBeforeOrLikewise: (Element, Element) -> Bool) -> [Element]
    {
        guard elements.count > 1 else { return Array(elements) }
        let middle = elements.startIndex + elements.count / 2
        var first = mergeSorted(elements[..<middle], isBeforeOrLikewise)[...]
        var second = mergeSorted(elements[middle...], isBeforeOrLikewise)[...]
        var merged: [Element] = []
        while let a = first.first, let b = second.first {
            if isBeforeOrLikewise(a, b) { merged.append(first.removeFirst()) } else { merged.append(second.removeFirst()) }
        }
        return merged + first + second
    }
}
