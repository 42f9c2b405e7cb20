internal import Kubernetes
internal import Model
internal import Text

extension Service {
    /// Seconds for which a client keeps its endpoint: the persistence timeout of the virtual servers. Nil without ClientIP affinity.
    var affinityTimeout: UInt32? {
        sessionAffinity == .clientIP ? sessionAffinityTimeoutSeconds ?? Service.defaultSessionAffinityTimeoutSeconds : nil
    }
}

/// Session affinity by client IP, which IPVS calls persistence.
enum SessionAffinity {
    /// Parses `24` or `24,64`: the number of leading bits of a client's address that are compared, for IPv4 and IPv6.
    static func prefixes(_ text: String) throws(AnnotationProblem) -> [IPFamily: UInt8] {
        let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map {
            AnnotationReader.decimal($0.trimmed)
        }
        guard (1...2).contains(numbers.count), let ipv4 = numbers[0], (1...32).contains(ipv4) else { throw prefixProblem }
        guard numbers.count == 2 else { return [.ipv4: UInt8(ipv4)] }
        guard let ipv6 = numbers[1], (1...128).contains(ipv6) else { throw prefixProblem }
        return [.ipv4: UInt8(ipv4), .ipv6: UInt8(ipv6)]
    }

    private static let prefixProblem = AnnotationProblem(
        "must be an IPv4 prefix length (1 to 32), optionally followed by a comma and an IPv6 prefix length (1 to 128)")
}
