internal import Kubernetes
internal import Model

/// What the API server would refuse; `docs/manifests.md` has the table.
enum ManifestValidation {
    static func problems(of object: ManifestObject) -> [FieldProblem] {
        var problems = problems(of: object.metadata, kind: object.kind)
        switch object {
        case .service(let service): problems += self.problems(of: service)
        case .endpointSlice(let slice): problems += self.problems(of: slice)
        case .endpoints(let endpoints): problems += self.problems(of: endpoints)
        case .node(let node): problems += self.problems(of: node)
        case .pod(let pod): problems += self.problems(of: pod)
        case .serviceCIDR(let block): problems += self.problems(of: block)
        }
        return problems
    }

    private static func problems(of metadata: ObjectMeta, kind: ManifestObject.Kind) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if metadata.name.isEmpty {
            problems.append(FieldProblem("metadata.name", nil, "is required"))
        } else if kind == .service ? !NameSyntax.isLabel(metadata.name) : !NameSyntax.isSubdomain(metadata.name) {
            problems.append(FieldProblem("metadata.name", metadata.name, kind == .service ? labelRule : subdomainRule))
        }
        if kind.isNamespaced, !NameSyntax.isLabel(metadata.namespace) {
            problems.append(FieldProblem("metadata.namespace", metadata.namespace, labelRule))
        }
        return problems
    }

    private static func problems(of node: Node) -> [FieldProblem] {
        node.podCIDRs.enumerated().compactMap { index, text in
            CIDR(text) == nil ? FieldProblem("spec.podCIDRs[\(index)]", text, "must be a block of addresses like 10.244.0.0/24") : nil
        }
    }

    private static func problems(of block: ServiceCIDR) -> [FieldProblem] {
        let ranges = block.cidrs.map { CIDR($0) }
        if let index = ranges.firstIndex(of: nil) {
            return [FieldProblem("spec.cidrs[\(index)]", block.cidrs[index], "must be a block of addresses like 10.112.0.0/16")]
        }
        return ranges.isEmpty || Set(ranges.map { $0?.family }).count < ranges.count
            ? [FieldProblem("spec.cidrs", nil, "must hold one block of addresses, or one of each family")] : []
    }

    private static func problems(of pod: Pod) -> [FieldProblem] {
        addressProblems(pod.podIPs, "status.podIPs")
            + pod.ports.filter { $0.containerPort == 0 }.map { port in
                FieldProblem("spec.containers[].ports[].containerPort", port.name.isEmpty ? "0" : port.name, portRule)
            }
    }

    // MARK: - Rules that several objects share

    static let portRule = "must be a port, 1 to 65535"
    static let labelRule = "must be at most 63 lower-case letters, digits and '-', and start and end with a letter or digit"
    static let subdomainRule = "must be at most 253 lower-case letters, digits, '-' and '.', and start and end with a letter or digit"
    static let labelValueRule = "must be at most 63 letters, digits, '-', '_' and '.', and start and end with a letter or digit"
    static let qualifiedNameRule =
        "it must be at most 63 letters, digits, '-', '_' and '.', and start and end with a letter or digit; a domain and '/' may precede"
    static let harmfulRule = "must not be an unspecified, loopback, link-local, multicast or reserved address"

    static func tooMany(_ field: String, _ count: Int, _ limit: Int) -> FieldProblem {
        FieldProblem(field, "\(count)", "must have at most \(limit) elements")
    }

    static func addressProblems(_ texts: [String], _ field: String) -> [FieldProblem] {
        texts.enumerated().compactMap { index, text in
            IPAddress(text) == nil ? FieldProblem("\(field)[\(index)]", text, "must be an IP address") : nil
        }
    }

    /// Labels, or a selector of labels.
    static func labelProblems(_ labels: [String: String], _ field: String) -> [FieldProblem] {
        labels.sorted { $0.key < $1.key }.compactMap { key, value in
            if !NameSyntax.isQualifiedName(key) { return FieldProblem(field, key, "is no key of a label: \(qualifiedNameRule)") }
            return NameSyntax.isLabelValue(value) ? nil : FieldProblem("\(field).\(key)", value, labelValueRule)
        }
    }

    static func appProtocolProblems(_ name: String?, _ port: String) -> [FieldProblem] {
        guard let name, !NameSyntax.isQualifiedName(name) else { return [] }
        return [FieldProblem("\(port).appProtocol", name, "is no name of a protocol: \(qualifiedNameRule)")]
    }

    static func hostnameProblems(_ name: String?, _ endpoint: String) -> [FieldProblem] {
        guard let name, !NameSyntax.isLabel(name) else { return [] }
        return [FieldProblem("\(endpoint).hostname", name, labelRule)]
    }

    static func nodeNameProblems(_ name: String?, _ endpoint: String) -> [FieldProblem] {
        guard let name, !NameSyntax.isSubdomain(name) else { return [] }
        return [FieldProblem("\(endpoint).nodeName", name, subdomainRule)]
    }

    /// What an endpoint's address may not be, because it would lead traffic to the node itself or nowhere; nil where it is fine.
    static func endpointRule(brokenBy address: IPAddress) -> String? { address.isHarmfulAsService ? harmfulRule : nil }

    /// The name of a port that a container gives (RFC 6335 §5.1): letters, digits and single dashes inside, at least one letter.
    static func isPortName(_ text: String) -> Bool {
        text.utf8.count <= 15 && NameSyntax.isLabel(text) && text.utf8.contains { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
    }

    /// A fully qualified domain name, with a dot at the end or without.
    static func isDomain(_ text: String) -> Bool {
        let name = text.hasSuffix(".") ? String(text.dropLast()) : text
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        return labels.count > 1 && NameSyntax.isSubdomain(name) && labels.allSatisfy { NameSyntax.isLabel($0) }
    }
}
