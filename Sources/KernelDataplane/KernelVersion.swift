/// The major and minor version of a kernel.
struct KernelVersion: Comparable {
    var major: Int
    var minor: Int

    init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// - Parameter release: such as `6.1.0-18-amd64`; nil if it is not a version.
    init?(_ release: String) {
        let numbers = release.split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap { Int($0) }
        guard numbers.count == 2 else { return nil }
        self.init(numbers[0], numbers[1])
    }

    static func current() throws(DataplaneError) -> KernelVersion {
        guard let release = try Sysctl("kernel.osrelease").read(), let version = KernelVersion(release) else {
            throw DataplaneError("sysctl kernel.osrelease", "is not a version")
        }
        return version
    }

    static func < (lhs: KernelVersion, rhs: KernelVersion) -> Bool { (lhs.major, lhs.minor) < (rhs.major, rhs.minor) }
}
