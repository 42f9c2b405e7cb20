import Model

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
        } else if kind == .service ? !isLabel(metadata.name) : !isSubdomain(metadata.name) {
            problems.append(FieldProblem("metadata.name", metadata.name, kind == .service ? labelRule : subdomainRule))
        }
        if kind.isNamespaced, !isLabel(metadata.namespace) {
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
            if !isQualifiedName(key) { return FieldProblem(field, key, "is no key of a label: \(qualifiedNameRule)") }
            return isLabelValue(value) ? nil : FieldProblem("\(field).\(key)", value, labelValueRule)
        }
    }

    static func appProtocolProblems(_ name: String?, _ port: String) -> [FieldProblem] {
        guard let name, !isQualifiedName(name) else { return [] }
        return [FieldProblem("\(port).appProtocol", name, "is no name of a protocol: \(qualifiedNameRule)")]
    }

    static func hostnameProblems(_ name: String?, _ endpoint: String) -> [FieldProblem] {
        guard let name, !isLabel(name) else { return [] }
        return [FieldProblem("\(endpoint).hostname", name, labelRule)]
    }

    static func nodeNameProblems(_ name: String?, _ endpoint: String) -> [FieldProblem] {
        guard let name, !isSubdomain(name) else { return [] }
        return [FieldProblem("\(endpoint).nodeName", name, subdomainRule)]
    }

    /// What an endpoint's address may not be, because it would lead traffic to the node itself or nowhere; nil where it is fine.
    static func endpointRule(brokenBy address: IPAddress) -> String? { address.isHarmfulAsService ? harmfulRule : nil }

    /// A label of RFC 1123, as namespaces and port names are.
    static func isLabel(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...63).contains(bytes.count), let first = bytes.first, let last = bytes.last else { return false }
        return isAlphanumeric(first) && isAlphanumeric(last) && bytes.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    /// Labels with dots between (RFC 1123 §2.1).
    static func isSubdomain(_ text: String) -> Bool {
        text.utf8.count <= 253 && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isLabel(String($0)) }
    }

    /// The name of a port that a container gives (RFC 6335 §5.1): letters, digits and single dashes inside, at least one letter.
    static func isPortName(_ text: String) -> Bool {
        text.utf8.count <= 15 && isLabel(text) && text.utf8.contains { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
    }

    /// The value of a label; it may be empty.
    static func isLabelValue(_ text: String) -> Bool { text.isEmpty || isNamePart(text) }

    /// The key of a label or an annotation: a name, and before it a domain and `/` if it has one.
    static func isQualifiedName(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let name = parts.last, parts.count <= 2, isNamePart(String(name)) else { return false }
        return parts.count == 1 || isSubdomain(String(parts[0]))
    }

    /// A fully qualified domain name, with a dot at the end or without.
    static func isDomain(_ text: String) -> Bool {
        let name = text.hasSuffix(".") ? String(text.dropLast()) : text
        return name.contains(".") && isSubdomain(name)
    }

    private static func isNamePart(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...63).contains(bytes.count), let first = bytes.first, let last = bytes.last else { return false }
        return isLetterOrDigit(first) && isLetterOrDigit(last)
            && bytes.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
