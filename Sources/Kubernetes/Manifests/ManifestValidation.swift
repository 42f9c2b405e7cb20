import Model

/// What the API server would refuse, as far as it would hurt here.
enum ManifestValidation {
    static func problems(of object: ManifestObject) -> [FieldProblem] {
        var problems = problems(of: object.metadata, kind: object.kind)
        switch object {
        case .service(let service): problems += self.problems(of: service)
        case .endpointSlice(let slice): problems += self.problems(of: slice)
        case .node(let node): problems += self.problems(of: node)
        case .pod(let pod): problems += self.problems(of: pod)
        }
        return problems
    }

    private static func problems(of metadata: ObjectMeta, kind: ManifestObject.Kind) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if metadata.name.isEmpty {
            problems.append(FieldProblem("metadata.name", nil, "is required"))
        } else if kind == .service ? !isLabel(metadata.name) : !isSubdomain(metadata.name) {
            let rule =
                kind == .service
                ? "must be at most 63 lower-case letters, digits and '-', and start and end with a letter or digit"
                : "must be at most 253 lower-case letters, digits, '-' and '.', and start and end with a letter or digit"
            problems.append(FieldProblem("metadata.name", metadata.name, rule))
        }
        if kind != .node, !isLabel(metadata.namespace) {
            problems.append(
                FieldProblem(
                    "metadata.namespace", metadata.namespace,
                    "must be at most 63 lower-case letters, digits and '-', and start and end with a letter or digit"))
        }
        return problems
    }

    private static func problems(of node: Node) -> [FieldProblem] {
        node.podCIDRs.enumerated().compactMap { index, text in
            CIDR(text) == nil ? FieldProblem("spec.podCIDRs[\(index)]", text, "must be a block of addresses like 10.244.0.0/24") : nil
        }
    }

    private static func problems(of pod: Pod) -> [FieldProblem] {
        addressProblems(pod.podIPs, "status.podIPs")
            + pod.ports.filter { $0.containerPort == 0 }.map { port in
                FieldProblem("spec.containers[].ports[].containerPort", port.name.isEmpty ? "0" : port.name, portRule)
            }
    }

    // MARK: - Rules that several objects share

    static let portRule = "must be a port, 1 to 65535"

    static func addressProblems(_ texts: [String], _ field: String) -> [FieldProblem] {
        texts.enumerated().compactMap { index, text in
            IPAddress(text) == nil ? FieldProblem("\(field)[\(index)]", text, "must be an IP address") : nil
        }
    }

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

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
