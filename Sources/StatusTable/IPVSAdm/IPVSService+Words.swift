internal import Model

// The words of ipvsadm for what the kernel says in numbers.

extension IPVSService {
    /// What of a client's address persistence looks at; nil where it is all of it.
    var maskText: String? {
        switch family {
        case .ipv4: netmask == .max ? nil : "\(IPAddress(v4: netmask))"
        case .ipv6: netmask == 128 ? nil : "\(netmask)"
        }
    }

    /// `mh-fallback,mh-port`, `flag-3`; nil where no flag of the scheduler is set.
    ///
    /// ipvsadm 1.31 has no name for the third flag of sh and mh: it prints nothing for it, and an empty list where it is the only one.
    var schedulerFlagsText: String? {
        let flags = VirtualServer.Flags(rawValue: flags).intersection([.hashFallback, .hashPort, .schedulerFlag3])
        guard !flags.isEmpty else { return nil }
        let named = scheduler == "sh" || scheduler == "mh" ? flags.subtracting(.schedulerFlag3) : flags
        return named.schedulerFlagNames(scheduler).joined(separator: ",")
    }
}

extension IPVSDestination {
    private var method: RealServer.Forwarding? { RealServer.Forwarding(rawValue: forwarding) }

    var methodName: String {
        switch method {
        case .masquerade: "Masq"
        case .localNode: "Local"
        case .tunnel: "Tunnel"
        case .directRoute, .bypass, nil: "Route"
        }
    }

    var methodFlag: String {
        switch method {
        case .masquerade: "-m"
        case .tunnel: "-i"
        case .localNode, .directRoute, .bypass, nil: "-g"
        }
    }

    /// `ipip`, `gue:6080:-c`, `gre:+c`; `n/a` without a tunnel.
    var tunnelText: String {
        guard method == .tunnel else { return "n/a" }
        let checksum = tunnel.flags.contains(.checksum) ? "+c" : tunnel.flags.contains(.remoteChecksum) ? "r+c" : "-c"
        return switch tunnel.kind {
        case .ipip: "ipip"
        case .gue: "gue:\(tunnel.port):\(checksum)"
        case .gre: "gre:\(checksum)"
        }
    }

    /// As `-S` writes it; empty without a tunnel.
    var tunnelArguments: String {
        guard method == .tunnel else { return "" }
        let checksum =
            tunnel.flags.contains(.checksum) ? "--tun-csum" : tunnel.flags.contains(.remoteChecksum) ? "--tun-remcsum" : "--tun-nocsum"
        return switch tunnel.kind {
        case .ipip: " --tun-type ipip"
        case .gue: " --tun-type gue --tun-port \(tunnel.port) \(checksum)"
        case .gre: " --tun-type gre \(checksum)"
        }
    }
}
