internal import Model
internal import Translation

/// Makes values of flags and collects what is wrong with them.
struct FlagReader {
    private(set) var problems: [ConfigurationError.Problem] = []

    mutating func refuse(_ flag: String, _ value: String, _ message: String) {
        problems.append(.init(flag: flag, value: value, message: message))
    }

    /// Node names are lower case, host names need not be.
    mutating func nodeName(_ override: String?, hostname: String) -> String {
        let name = (override ?? hostname).split(whereSeparator: \.isWhitespace).joined(separator: " ").lowercased()
        if name.isEmpty { refuse("--hostname-override", override ?? hostname, "must be the name of this node, as in `kubectl get nodes`") }
        return name
    }

    /// A directory of manifests if one is given, else the API server.
    mutating func cluster(_ flags: FlagValues) -> ProxyConfiguration.ClusterChoice {
        if let directory = flags.manifests {
            for (flag, value) in [("--kubeconfig", flags.kubeconfig), ("--master", flags.master)] where !value.isEmpty {
                refuse(flag, value, "cannot be combined with --manifests: the cluster is read from one place")
            }
            if directory.isEmpty { refuse("--manifests", directory, "must be a readable directory") }
            return .manifests(directory)
        }
        if !ClientConnection.contentTypes.contains(flags.kubeAPIContentType) {
            refuse(
                "--kube-api-content-type", flags.kubeAPIContentType,
                "must be one of \(ClientConnection.contentTypes.joined(separator: ", "))")
        }
        if flags.kubeAPIBurst < 0 { refuse("--kube-api-burst", "\(flags.kubeAPIBurst)", "must be greater than or equal to 0") }
        return .api(
            ClientConnection(
                kubeconfig: flags.kubeconfig, master: flags.master, contentType: flags.kubeAPIContentType, qps: flags.kubeAPIQPS,
                burst: flags.kubeAPIBurst))
    }

    mutating func scheduler(_ text: String) -> Scheduler {
        if text.isEmpty { return .roundRobin }
        if let scheduler = Scheduler(text) { return scheduler }
        refuse("--ipvs-scheduler", text, "must be the name of an IPVS scheduler, such as rr, wrr, lc, wlc, sh, dh, sed, nq or mh")
        return .roundRobin
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
            if cidr == nil { refuse(flag, text, "must be a range of addresses such as 10.0.0.0/8 or fd00::/64") }
            return cidr
        }
    }

    /// One range, or an IPv4 and an IPv6 one; empty text is none.
    mutating func familyPair(_ flag: String, _ text: String) -> [CIDR] {
        let ranges = cidrs(flag, text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false).map(String.init))
        if ranges.count > 2 || ranges.count == 2 && ranges[0].family == ranges[1].family {
            refuse(flag, text, "must be one range, or one IPv4 and one IPv6 range with a comma between them")
        }
        return ranges
    }

    /// `10.0.0.1:10256` or `[fd00::1]:10256`; empty text is none.
    mutating func bindAddress(_ flag: String, _ text: String) -> AddressPort? {
        if text.isEmpty { return nil }
        if let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port != 0 {
            let host = text[..<colon]
            let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
            if let address = IPAddress(String(isBracketed ? host.dropFirst().dropLast() : host)), (address.family == .ipv6) == isBracketed {
                return AddressPort(address, port)
            }
        }
        refuse(flag, text, "must be IP:port, such as 0.0.0.0:10256 or [::]:10256")
        return nil
    }

    mutating func nodePortAddresses(_ texts: [String]) -> NodePortAddresses {
        if texts == ["primary"] { return .primary }
        if texts.contains("primary") {
            refuse("--nodeport-addresses", texts.joined(separator: ","), "primary must stand alone")
            return .all
        }
        let ranges = cidrs("--nodeport-addresses", texts)
        return ranges.isEmpty ? .all : .ranges(ranges)
    }

    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(_ flag: String, _ text: String, default: Choice) -> Choice {
        if let choice = Choice(rawValue: text) { return choice }
        refuse(flag, text, "must be one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        return `default`
    }

    private enum Mode: String, CaseIterable {
        case clusterCIDR = "ClusterCIDR"
        case nodeCIDR = "NodeCIDR"
        case bridgeInterface = "BridgeInterface"
        case interfaceNamePrefix = "InterfaceNamePrefix"
    }

    mutating func localTraffic(_ flags: FlagValues) -> LocalTraffic {
        let ranges = familyPair("--cluster-cidr", flags.clusterCIDR)
        let mode: Mode =
            flags.detectLocalMode.isEmpty ? .clusterCIDR : choice("--detect-local-mode", flags.detectLocalMode, default: .clusterCIDR)
        switch mode {
        case .clusterCIDR: return .clusterCIDR(ranges)
        case .nodeCIDR: return .nodeCIDR
        case .bridgeInterface: return .bridgeInterface(interface("--pod-bridge-interface", flags.podBridgeInterface, mode))
        case .interfaceNamePrefix: return .interfaceNamePrefix(interface("--pod-interface-name-prefix", flags.podInterfaceNamePrefix, mode))
        }
    }

    /// The name goes into a line of iptables-restore: nothing that could end the word.
    private mutating func interface(_ flag: String, _ name: String, _ mode: Mode) -> String {
        let isClean = name.utf8.allSatisfy {
            (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
        }
        if name.isEmpty || !isClean { refuse(flag, name, "must name an interface where --detect-local-mode is \(mode.rawValue)") }
        return name
    }
}
