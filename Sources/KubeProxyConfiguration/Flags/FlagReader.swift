internal import Model
internal import Text

/// Parses the values of flags and collects malformed ones.
struct FlagReader {
    private(set) var problems: [ConfigurationError.Problem] = []

    mutating func refuse(_ flag: String, _ value: String, _ message: String) {
        problems.append(.init(flag: flag, value: value, message: message))
    }

    /// Returns a node name without surrounding white space and in lower case.
    mutating func hostname(_ override: String) -> String {
        let name = FlagReader.trimmed(override)
        if name.isEmpty { refuse("--hostname-override", override, "must be the name of this node, as in `kubectl get nodes`") }
        return name
    }

    /// Returns the name of this node, from the configuration or else the host name. Node names are lower case, host names need not be.
    mutating func nodeName(_ override: String, hostname: String) -> String {
        let name = FlagReader.trimmed(override.isEmpty ? hostname : override)
        if name.isEmpty {
            refuse(
                "--hostname-override", override.isEmpty ? hostname : override, "must be the name of this node, as in `kubectl get nodes`")
        }
        return name
    }

    private static func trimmed(_ text: String) -> String {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ").lowercased()
    }

    /// Returns the directory of manifests if one is set, otherwise the API server.
    mutating func cluster(
        _ connection: ClientConnectionConfiguration, _ flags: FlagValues
    ) -> ProxyConfiguration.ClusterSourceChoice {
        if let directory = flags.manifests {
            for (flag, value) in [("--kubeconfig", flags.kubeconfig ?? ""), ("--master", flags.master)] where !value.isEmpty {
                refuse(flag, value, "cannot be combined with --manifests: choose one source")
            }
            if directory.isEmpty { refuse("--manifests", directory, "must be a readable directory") }
            return .manifests(directory)
        }
        return .api(
            ClientConnection(
                kubeconfig: connection.kubeconfig, master: flags.master, contentType: connection.contentType,
                acceptContentTypes: connection.acceptContentTypes, qps: Double(connection.qps), burst: Int(connection.burst)))
    }

    mutating func duration(_ flag: String, _ text: String, atLeast least: Duration) -> Duration {
        guard let duration = GoDuration(text)?.duration else {
            refuse(flag, text, "must be a duration such as 30s, 1m30s or 500ms")
            return least
        }
        if duration < least { refuse(flag, text, least > .zero ? "must be greater than 0" : "must not be negative") }
        return duration
    }

    mutating func cidrs(_ flag: String, _ texts: [String]) -> [CIDR] {
        texts.compactMap { text in
            let cidr = CIDR(text)
            if cidr == nil { refuse(flag, text, "must be a CIDR such as 10.0.0.0/8 or fd00::/64") }
            return cidr
        }
    }

    /// Returns one range, or one of each family; none for empty text.
    mutating func familyPair(_ flag: String, _ text: String) -> [CIDR] {
        let ranges = cidrs(flag, text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false).map(String.init))
        if ranges.count > 2 || ranges.count == 2 && ranges[0].family == ranges[1].family {
            refuse(flag, text, "must be one CIDR, or one IPv4 and one IPv6 CIDR separated by a comma")
        }
        return ranges
    }

    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(_ flag: String, _ text: String, default: Choice) -> Choice {
        if let choice = Choice(rawValue: text) { return choice }
        refuse(flag, text, "must be one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        return `default`
    }

    /// Returns nil for empty text, which leaves the default, and for an invalid address.
    mutating func address(_ flag: String, _ text: String) -> String? {
        guard !text.isEmpty else { return nil }
        if IPAddress(text) != nil { return text }
        refuse(flag, text, "must be an IP address")
        return nil
    }

    /// Returns an address with or without a port; nil for empty text and for anything else.
    mutating func hostPort(_ flag: String, _ text: String) -> String? {
        guard !text.isEmpty else { return nil }
        if IPAddress(text) != nil { return text }
        if let parts = HostPort(text), IPAddress(parts.host) != nil, Int(parts.port) != nil { return text }
        refuse(flag, text, "must be an IP address, or one with a port: 127.0.0.1:10249, [::1]:10249")
        return nil
    }

    mutating func quantity(_ flag: String, _ text: String) -> Quantity? {
        if let quantity = Quantity(text) { return quantity }
        refuse(flag, text, "must be a quantity such as 512, 4Ki or 1M")
        return nil
    }

    /// Parses `pattern=N,…`, ignoring empty parts.
    mutating func vmodule(_ text: String) -> [LoggingConfiguration.VModuleItem] {
        text.split(separator: ",").compactMap { part in
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
            if sides.count == 2, !sides[0].isEmpty, let verbosity = UInt32(sides[1]), verbosity <= Int32.max {
                return .init(filePattern: String(sides[0]), verbosity: verbosity)
            }
            refuse("--vmodule", String(part), "must have the form PATTERN=LEVEL")
            return nil
        }
    }
}

extension FlagReader {
    /// Parses lists such as `A=true,B=false`; the last value of a gate is used (`MapStringBool` of component-base).
    mutating func featureGates(_ flag: String, _ lists: [String]) -> [String: Bool] {
        var settings: [String: Bool] = [:]
        for pair in lists.flatMap({ $0.split(separator: ",").map(String.init) }) {
            guard let equals = pair.firstIndex(of: "=") else {
                refuse(flag, pair, "malformed pair, expect string=bool")
                continue
            }
            let name = pair[..<equals].trimmed
            guard let value = Bool(goText: pair[pair.index(after: equals)...].trimmed) else {
                refuse(flag, pair, "must be \(name)=true or \(name)=false")
                continue
            }
            settings[name] = value
        }
        return settings
    }
}
