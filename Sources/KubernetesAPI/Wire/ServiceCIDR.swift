/// Ranges that cluster IPs are taken from (`networking.k8s.io/v1` ServiceCIDR).
public struct ServiceCIDR: Hashable, Sendable {
    /// `metadata.name`
    public var name: String
    /// `spec.cidrs`: one or two, one of each family.
    public var cidrs: [String]

    public init(name: String, cidrs: [String] = []) {
        self.name = name
        self.cidrs = cidrs
    }
}

extension ServiceCIDR: Decodable {
    private enum CodingKeys: String, CodingKey { case metadata, spec }

    private struct Metadata: Decodable {
        var name: String?
    }

    private struct Spec: Decodable {
        var cidrs: [String]?
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try fields.decodeIfPresent(Metadata.self, forKey: .metadata)?.name ?? "",
            cidrs: try fields.decodeIfPresent(Spec.self, forKey: .spec)?.cidrs ?? [])
    }
}
