internal import ArgumentParser

/// IPv4 addresses by their number in a range.
struct AddressRange: ExpressibleByArgument, Sendable, CustomStringConvertible {
    let description: String
    private let base: UInt32
    let count: UInt32

    init?(argument: String) {
        let parts = argument.split(separator: "/")
        let bytes = parts.first?.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) } ?? []
        guard parts.count == 2, bytes.count == 4, let length = UInt32(parts[1]), 1...32 ~= length else { return nil }
        var address: UInt32 = 0
        for byte in bytes {
            guard let byte else { return nil }
            address = address << 8 | UInt32(byte)
        }
        count = UInt32(1) << (32 - length)
        base = address & ~(count - 1)
        description = argument
    }

    /// Wraps around at the end of the range.
    subscript(_ number: Int) -> String {
        let address = base + UInt32(truncatingIfNeeded: number) % count
        return "\(address >> 24).\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255)"
    }
}
