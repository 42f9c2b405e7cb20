/// An address at which a load balancer answers for a Service (`Service.status.loadBalancer.ingress[]`).
public struct LoadBalancerIngress: Hashable, Sendable {
    /// `ip`; empty where the load balancer is known by a host name only.
    public var ip: String
    /// `ipMode`: `VIP`, `Proxy`, or nil, which means `VIP`.
    public var ipMode: String?

    public init(ip: String, ipMode: String? = nil) {
        self.ip = ip
        self.ipMode = ipMode
    }

    /// Whether packets arrive with this address, so that it is for the nodes to serve (`ipMode`).
    public var isVIP: Bool { ipMode == nil || ipMode == "VIP" }
}

extension LoadBalancerIngress: Decodable {
    private enum CodingKeys: String, CodingKey {
        case ip, ipMode
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(ip: try fields.value(.ip, default: ""), ipMode: try fields.decodeIfPresent(String.self, forKey: .ipMode))
    }
}
