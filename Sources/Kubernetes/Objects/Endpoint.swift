public import Model

/// A server behind a Service (`EndpointSlice.endpoints[]`).
public struct Endpoint: Hashable, Sendable {
    /// `addresses`, up to the first that is no IP address; only the first is used, and without one the endpoint gets no traffic.
    public var addresses: [IPAddress]
    /// `conditions.ready`
    public var ready: Bool?
    /// `conditions.serving`
    public var serving: Bool?
    /// `conditions.terminating`
    public var terminating: Bool?
    /// `nodeName`
    public var nodeName: String?
    /// `targetRef.name` where `targetRef.kind` is `Pod`.
    public var pod: String?
    /// `hints.forZones[].name`
    public var zoneHints: [String]
    /// `hints.forNodes[].name`
    public var nodeHints: [String]

    public init(
        addresses: [IPAddress], ready: Bool? = nil, serving: Bool? = nil, terminating: Bool? = nil, nodeName: String? = nil,
        pod: String? = nil, zoneHints: [String] = [], nodeHints: [String] = []
    ) {
        self.addresses = addresses
        self.ready = ready
        self.serving = serving
        self.terminating = terminating
        self.nodeName = nodeName
        self.pod = pod
        self.zoneHints = zoneHints
        self.nodeHints = nodeHints
    }

    /// Reads `addresses`.
    ///
    /// An address does not move up to the place of a text before it that is none; in a slice of names there are none.
    public static func addresses(_ texts: [String]) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for text in texts {
            guard let address = IPAddress(text) else { break }
            addresses.append(address)
        }
        return addresses
    }

    /// Whether it takes new connections; the API says that nil counts as true.
    public var isReady: Bool { ready ?? true }

    /// Whether it answers, be it terminating or not; the API says that nil counts as true.
    public var isServing: Bool { serving ?? true }

    /// Whether it is on its way out; the API says that nil counts as false.
    public var isTerminating: Bool { terminating ?? false }
}

extension Endpoint: Decodable {
    private enum CodingKeys: String, CodingKey {
        case addresses, conditions, nodeName, targetRef, hints
    }

    private enum ConditionKeys: String, CodingKey { case ready, serving, terminating }
    private enum HintKeys: String, CodingKey { case forZones, forNodes }

    private struct Hint: Decodable {
        var name: String
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(addresses: Endpoint.addresses(try fields.list(.addresses)))
        if let conditions = try fields.nested(ConditionKeys.self, .conditions) {
            ready = try conditions.decodeIfPresent(Bool.self, forKey: .ready)
            serving = try conditions.decodeIfPresent(Bool.self, forKey: .serving)
            terminating = try conditions.decodeIfPresent(Bool.self, forKey: .terminating)
        }
        nodeName = try fields.decodeIfPresent(String.self, forKey: .nodeName)
        pod = try fields.pod(.targetRef)
        if let hints = try fields.nested(HintKeys.self, .hints) {
            zoneHints = try hints.list(.forZones, of: Hint.self).map(\.name)
            nodeHints = try hints.list(.forNodes, of: Hint.self).map(\.name)
        }
    }
}
