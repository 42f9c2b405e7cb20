internal import Kubernetes
internal import Model

/// Weights of endpoints from the annotation `kube-ipvs-proxy.io/weights` of a Service or a slice: `web-0=3, 10.244.1.7=0`.
struct EndpointWeights: Hashable {
    private var byAddress: [IPAddress: UInt32] = [:]
    /// By the name of a pod (`endpoints[].targetRef.name`).
    private var byPod: [String: UInt32] = [:]

    /// With weight 0 an endpoint gets no new connections.
    static let range: ClosedRange<UInt32> = 0...65535

    /// No weights.
    init() {}

    /// - Parameter problem: set to the first problem, if nil. Invalid entries are skipped, the others are used.
    init(_ text: String, problem: inout AnnotationProblem?) {
        for entry in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let parts = entry.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let weight = AnnotationReader.decimal(parts[1]), EndpointWeights.range.contains(weight) else {
                let shown = InvalidAnnotation.shortened(String(entry))
                problem =
                    problem
                    ?? .init(
                        "\"\(shown)\" must be ADDRESS=WEIGHT or POD=WEIGHT with a weight from 0 to \(EndpointWeights.range.upperBound)")
                continue
            }
            if let address = IPAddress(parts[0]) { byAddress[address] = weight } else { byPod[String(parts[0])] = weight }
        }
    }

    var isEmpty: Bool { byAddress.isEmpty && byPod.isEmpty }

    /// Returns nil if no weight is given for the endpoint.
    func weight(of endpoint: Endpoint, at address: IPAddress) -> UInt32? {
        byAddress[address] ?? endpoint.pod.flatMap { byPod[$0] }
    }
}
