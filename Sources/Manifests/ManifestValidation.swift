internal import Kubernetes
internal import Model
internal import Text
internal import YAML

/// Validates objects as the API server does; `docs/manifests.md` lists the rules.
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

    private static func problems(of metadata: ObjectMeta, kind: ManifestKind) -> [FieldProblem] {
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
            CIDR(text) == nil ? FieldProblem("spec.podCIDRs[\(index)]", text, "must be a CIDR such as 10.244.0.0/24") : nil
        }
    }

    private static func problems(of block: ServiceCIDR) -> [FieldProblem] {
        let ranges = block.cidrs.map { CIDR($0) }
        if let index = ranges.firstIndex(of: nil) {
            return [FieldProblem("spec.cidrs[\(index)]", block.cidrs[index], "must be a CIDR such as 10.112.0.0/16")]
        }
        return ranges.isEmpty || Set(ranges.map { $0?.family }).count < ranges.count
            ? [FieldProblem("spec.cidrs", nil, "must contain one CIDR, or one of each family")] : []
    }

    private static func problems(of pod: Pod) -> [FieldProblem] {
        addressProblems(pod.podIPs, "status.podIPs")
            + pod.ports.filter { $0.containerPort == 0 }.map { port in
                FieldProblem("spec.containers[].ports[].containerPort", port.name.isEmpty ? "0" : port.name, portRule)
            }
    }

    // MARK: - Rules shared by several kinds

    static let portRule = "must be a port, 1 to 65535"
    static let labelRule = "must be at most 63 lower-case letters, digits and '-', and start and end with a letter or digit"
    static let subdomainRule = "must be at most 253 lower-case letters, digits, '-' and '.', and start and end with a letter or digit"
    static let labelValueRule = "must be at most 63 letters, digits, '-', '_' and '.', and start and end with a letter or digit"
    static let qualifiedNameRule =
        "it must be at most 63 letters, digits, '-', '_' and '.', and start and end with a letter or digit; a domain and '/' may precede"
    static let unusableAddressRule = "must not be an unspecified, loopback, link-local, multicast or reserved address"

    static func tooMany(_ field: String, _ count: Int, _ limit: Int) -> FieldProblem {
        FieldProblem(field, "\(count)", "must have at most \(limit) elements")
    }

    static func addressProblems(_ texts: [String], _ field: String) -> [FieldProblem] {
        texts.enumerated().compactMap { index, text in
            IPAddress(text) == nil ? FieldProblem("\(field)[\(index)]", text, "must be an IP address") : nil
        }
    }

    /// Returns the problems of labels or of a label selector.
    static func labelProblems(_ labels: [String: String], _ field: String) -> [FieldProblem] {
        labels.sorted { $0.key < $1.key }.compactMap { key, value in
            if !NameSyntax.isQualifiedName(key) { return FieldProblem(field, key, "is not a valid label key: \(qualifiedNameRule)") }
            return NameSyntax.isLabelValue(value) ? nil : FieldProblem("\(field).\(key)", value, labelValueRule)
        }
    }

    static func appProtocolProblems(_ name: String?, _ port: String) -> [FieldProblem] {
        guard let name, !NameSyntax.isQualifiedName(name) else { return [] }
        return [FieldProblem("\(port).appProtocol", name, "is not a valid protocol name: \(qualifiedNameRule)")]
    }

    static func hostnameProblems(_ name: String?, _ endpoint: @autoclosure () -> String) -> [FieldProblem] {
        guard let name, !NameSyntax.isLabel(name) else { return [] }
        return [FieldProblem("\(endpoint()).hostname", name, labelRule)]
    }

    static func nodeNameProblems(_ name: String?, _ endpoint: @autoclosure () -> String) -> [FieldProblem] {
        guard let name, !NameSyntax.isSubdomain(name) else { return [] }
        return [FieldProblem("\(endpoint()).nodeName", name, subdomainRule)]
    }

    /// Returns the rule that an endpoint's address violates, as traffic to it would reach the node itself or nothing; nil if it is valid.
    static func endpointRule(brokenBy address: IPAddress) -> String? { address.isUnusableForServices ? unusableAddressRule : nil }

    /// Whether a text is a valid port name (RFC 6335 §5.1): letters, digits and single dashes inside, at least one letter.
    static func isPortName(_ text: String) -> Bool {
        text.utf8.count <= 15 && NameSyntax.isLabel(text) && text.utf8.contains { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
    }

    /// Whether a text is a fully qualified domain name, with or without a trailing dot.
    static func isDomain(_ text: String) -> Bool {
        let name = text.hasSuffix(".") ? String(text.dropLast()) : text
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        return labels.count > 1 && NameSyntax.isSubdomain(name) && labels.allSatisfy { NameSyntax.isLabel($0) }
    }
}

/// A problem with a field of an object.
struct FieldProblem: Hashable, Sendable, Error {
    /// The path of the field, such as `spec.ports[0].port`; empty for the object itself.
    var field: String
    var value: String?
    var message: String

    init(_ field: String, _ value: String? = nil, _ message: String) {
        self.field = field
        self.value = value
        self.message = message
    }

    /// Creates a problem from a decoding error, with the text at its path.
    init(_ error: DecodingError, in decoder: any Decoder) {
        let problem = DecodingProblem(error, words: .yaml)
        let path = problem.path.dropFirst(decoder.codingPath.count)
        self.init(path.fieldPath, FieldProblem.value(at: path, in: decoder), problem.message)
    }

    /// Returns the text at a path by decoding again, as it is needed only for problems; nil if there is none.
    private static func value(at path: ArraySlice<any CodingKey>, in decoder: any Decoder) -> String? {
        guard let key = path.first else { return scalar(in: decoder) }
        do {
            if let index = key.intValue {
                var list = try decoder.unkeyedContainer()
                while list.currentIndex < index, !list.isAtEnd { _ = try list.superDecoder() }
                return list.isAtEnd ? nil : value(at: path.dropFirst(), in: try list.superDecoder())
            }
            let fields = try decoder.container(keyedBy: FieldKey.self)
            let field = FieldKey(key.stringValue)
            return fields.contains(field) ? value(at: path.dropFirst(), in: try fields.superDecoder(forKey: field)) : nil
        } catch {
            // The structure ends above the path: the problem is reported without a value.
            return nil
        }
    }

    private static func scalar(in decoder: any Decoder) -> String? {
        if let text = YAMLDocument.sourceText(at: decoder) { return text }
        // A failed attempt only means that the value is of another type.
        guard let value = try? decoder.singleValueContainer(), !value.decodeNil() else { return nil }
        if let text = try? value.decode(String.self) { return text }
        if let number = try? value.decode(Int.self) { return "\(number)" }
        if let number = try? value.decode(Double.self) { return "\(number)" }
        if let flag = try? value.decode(Bool.self) { return "\(flag)" }
        return nil
    }
}

extension ManifestValidation {
    /// The maximum number of endpoints of a slice.
    static let endpointLimit = 1000
    private static let portLimit = 20_000
    private static let hintLimit = 8

    static func problems(of slice: EndpointSlice) -> [FieldProblem] {
        guard slice.endpoints.count <= endpointLimit else { return [tooMany("endpoints", slice.endpoints.count, endpointLimit)] }
        guard slice.ports.count <= portLimit else { return [tooMany("ports", slice.ports.count, portLimit)] }
        var problems: [FieldProblem] = []
        for (index, endpoint) in slice.endpoints.enumerated() {
            problems += self.problems(of: endpoint, "endpoints[\(index)]")
        }
        var names: Set<String> = []
        for (index, port) in slice.ports.enumerated() {
            let name = port.name ?? ""
            if !names.insert(name).inserted {
                problems.append(FieldProblem("ports[\(index)].name", name, "is the name of another port of this slice"))
            }
            if !name.isEmpty, !NameSyntax.isLabel(name) { problems.append(FieldProblem("ports[\(index)].name", name, labelRule)) }
            if port.port == 0 { problems.append(FieldProblem("ports[\(index)].port", "0", portRule)) }
        }
        return problems
    }

    private static func problems(of endpoint: Endpoint, _ field: @autoclosure () -> String) -> [FieldProblem] {
        let problems = nodeNameProblems(endpoint.nodeName, field())
        guard endpoint.hasHints else { return problems }
        return problems + hintProblems(endpoint.zoneHints, "\(field()).hints.forZones", NameSyntax.isLabelValue, labelValueRule)
            + hintProblems(endpoint.nodeHints, "\(field()).hints.forNodes", NameSyntax.isSubdomain, subdomainRule)
    }

    private static func hintProblems(_ names: [String], _ field: String, _ isValid: (String) -> Bool, _ rule: String) -> [FieldProblem] {
        guard names.count <= hintLimit else { return [tooMany(field, names.count, hintLimit)] }
        var seen: Set<String> = []
        return names.enumerated().compactMap { index, name in
            if !seen.insert(name).inserted { return FieldProblem("\(field)[\(index)].name", name, "is a duplicate") }
            return isValid(name) ? nil : FieldProblem("\(field)[\(index)].name", name, rule)
        }
    }
}

extension ManifestValidation {
    static func problems(of endpoints: Endpoints) -> [FieldProblem] {
        endpoints.subsets.enumerated().flatMap { index, subset in problems(of: subset, "subsets[\(index)]") }
    }

    private static func problems(of subset: EndpointSubset, _ field: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if subset.addresses.isEmpty, subset.notReadyAddresses.isEmpty {
            problems.append(FieldProblem(field, nil, "needs addresses or notReadyAddresses"))
        }
        for (list, name) in [(subset.addresses, "addresses"), (subset.notReadyAddresses, "notReadyAddresses")] {
            for (index, address) in list.enumerated() { problems += self.problems(of: address, "\(field).\(name)[\(index)]") }
        }
        for (index, port) in subset.ports.enumerated() {
            let field = "\(field).ports[\(index)]"
            if (port.port ?? 0) == 0 { problems.append(FieldProblem("\(field).port", port.port.map { "\($0)" }, portRule)) }
            let name = port.name ?? ""
            if name.isEmpty, subset.ports.count > 1 {
                problems.append(FieldProblem("\(field).name", nil, "is required if there are several ports"))
            } else if !name.isEmpty, !NameSyntax.isLabel(name) {
                problems.append(FieldProblem("\(field).name", name, labelRule))
            }
        }
        return problems
    }

    private static func problems(of address: SubsetAddress, _ field: String) -> [FieldProblem] {
        let hostname = address.hostname.isEmpty ? nil : address.hostname
        let problems = hostnameProblems(hostname, field) + nodeNameProblems(address.nodeName, field)
        guard let parsed = IPAddress(address.ip) else {
            return problems + [FieldProblem("\(field).ip", address.ip, "must be an IP address")]
        }
        return problems + (endpointRule(brokenBy: parsed).map { [FieldProblem("\(field).ip", address.ip, $0)] } ?? [])
    }
}
