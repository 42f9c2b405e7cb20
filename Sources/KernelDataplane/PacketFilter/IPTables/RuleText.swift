internal import Model

/// A rule in the form that `iptables-save` prints, without `-A <chain> `.
enum RuleText {
    static func text(_ rule: Rule, _ family: IPFamily) -> String {
        if case .other(let text) = rule.verdict { return text }
        var words = rule.matches.compactMap { option($0, family) }
        if let comment = rule.comment { words.append("-m comment --comment \"\(escaped(comment))\"") }
        words += rule.matches.compactMap { match($0, family) }
        words.append(verdict(rule.verdict, family))
        return words.joined(separator: " ")
    }

    /// A match of the packet's header, which needs no extension; nil for other matches.
    private static func option(_ match: Rule.Match, _ family: IPFamily) -> String? {
        switch match {
        case .source(let range, let isNegated): not(isNegated) + "-s \(range)"
        case .inputInterface(let name, let isPrefix, let isNegated): not(isNegated) + "-i \(name)\(isPrefix ? "+" : "")"
        case .transport(let transport, let isNegated): not(isNegated) + "-p \(transport.lowercaseName)"
        case .echoRequest: family == .ipv4 ? "-p icmp" : "-p ipv6-icmp"
        case .set, .mark, .isLocal, .connection, .bridgePort, .virtualServer: nil
        }
    }

    private static func match(_ match: Rule.Match, _ family: IPFamily) -> String? {
        switch match {
        case .source, .inputInterface, .transport: nil
        case .echoRequest: family == .ipv4 ? "-m icmp --icmp-type 8" : "-m icmp6 --icmpv6-type 128"
        case .set(let name, let sides): "-m set --match-set \(name) \(sides.map { $0 == .source ? "src" : "dst" }.joined(separator: ","))"
        case .mark(let mark, let isNegated): "-m mark \(not(isNegated))--mark \(hex(mark))/\(hex(mark))"
        case .isLocal(let side, let isNegated): "-m addrtype \(not(isNegated))--\(side == .source ? "src" : "dst")-type LOCAL"
        case .connection(let states): "-m conntrack --ctstate \(states.map { $0.rawValue.uppercased() }.joined(separator: ","))"
        case .bridgePort(let isNegated): "-m physdev \(not(isNegated))--physdev-is-in"
        case .virtualServer(let server):
            "-m ipvs --vproto \(server.transport.number) --vaddr \(server.location.address) --vport \(server.location.port)"
        }
    }

    private static func verdict(_ verdict: Rule.Verdict, _ family: IPFamily) -> String {
        switch verdict {
        case .accept: "-j ACCEPT"
        case .drop: "-j DROP"
        case .return: "-j RETURN"
        case .jump(let chain): "-j \(chain)"
        case .masquerade(let isFullyRandom): "-j MASQUERADE\(isFullyRandom ? " --random-fully" : "")"
        case .setMark(let mark): "-j MARK --set-xmark \(hex(mark))/\(hex(mark))"
        case .invertMark(let mark): "-j MARK --set-xmark \(hex(mark))/0x0"
        case .reject(let reply): "-j REJECT --reject-with \(name(reply, family))"
        case .other(let text): text
        }
    }

    private static func name(_ reply: Rule.Reply, _ family: IPFamily) -> String {
        switch (reply, family) {
        case (.tcpReset, _): "tcp-reset"
        case (.portUnreachable, .ipv4): "icmp-port-unreachable"
        case (.protocolUnreachable, .ipv4): "icmp-proto-unreachable"
        // REJECT has no reply for a protocol in IPv6.
        case (.portUnreachable, .ipv6), (.protocolUnreachable, .ipv6): "icmp6-port-unreachable"
        }
    }

    private static func not(_ isNegated: Bool) -> String { isNegated ? "! " : "" }

    private static func hex(_ number: UInt32) -> String { "0x" + String(number, radix: 16) }

    /// As iptables escapes text in quotes (`xtables_save_string`, libxtables/xtables.c).
    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { escaped, character in
            if "\"\\'".contains(character) { escaped.append("\\") }
            escaped.append(character)
        }
    }
}

extension RuleText {
    /// The words of a rule; text in quotes is one word, with its quotes.
    static func words(of rule: String) -> [String] {
        var words: [String] = []
        var isQuoted = false
        var isEscaped = false
        var word = ""
        for character in rule {
            if character == "\"", !isEscaped { isQuoted.toggle() }
            isEscaped = character == "\\" && !isEscaped
            if character == " ", !isQuoted {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                word.append(character)
            }
        }
        return word.isEmpty ? words : words + [word]
    }

    /// The rule with this text; `.other` if this program has none.
    static func rule(_ text: String, _ family: IPFamily) -> Rule {
        var reader = Reader(words: words(of: text)[...], family: family)
        // Comparing the texts makes sure that nothing in them is ignored.
        guard let rule = reader.rule(), RuleText.text(rule, family) == text else { return .other(text) }
        return rule
    }

    private struct Reader {
        var words: ArraySlice<String>
        let family: IPFamily

        private mutating func next() -> String? { words.popFirst() }

        /// Takes `words` if they come next.
        private mutating func take(_ expected: String...) -> Bool {
            guard words.starts(with: expected) else { return false }
            words = words.dropFirst(expected.count)
            return true
        }

        mutating func rule() -> Rule? {
            var matches: [Rule.Match] = []
            var comment: String?
            while let word = words.first {
                if word == "-j" { return verdict().map { Rule(matches, $0, comment: comment) } }
                if take("-m", "comment", "--comment") {
                    comment = next().map(unescaped)
                } else if let match = match() {
                    matches.append(match)
                } else {
                    return nil
                }
            }
            return nil
        }

        private mutating func match() -> Rule.Match? {
            if let echo = echoRequest() { return echo }
            let isOption = words.first != "-m"
            if !isOption { words.removeFirst() }
            let name = isOption ? nil : next()
            let isNegated = take("!")
            guard let option = next() else { return nil }
            switch (name, option) {
            case (nil, "-s"): return next().flatMap { CIDR($0) }.map { .source($0, isNegated: isNegated) }
            case (nil, "-i"):
                return next().map {
                    $0.hasSuffix("+")
                        ? .inputInterface(String($0.dropLast()), isPrefix: true, isNegated: isNegated)
                        : .inputInterface($0, isNegated: isNegated)
                }
            case (nil, "-p"):
                let word = next()
                return Transport.allCases.first { $0.lowercaseName == word }.map { .transport($0, isNegated: isNegated) }
            case ("set", "--match-set"):
                guard let set = next(), let sides = next() else { return nil }
                return .set(AddressSet.Name(set), sides.split(separator: ",").map { $0 == "src" ? .source : .destination })
            case ("mark", "--mark"): return next().flatMap(mark).map { .mark($0, isNegated: isNegated) }
            case ("addrtype", "--src-type"): return take("LOCAL") ? .isLocal(.source, isNegated: isNegated) : nil
            case ("addrtype", "--dst-type"): return take("LOCAL") ? .isLocal(.destination, isNegated: isNegated) : nil
            case ("conntrack", "--ctstate"):
                return next().map { .connection($0.split(separator: ",").compactMap { Rule.ConnectionState(rawValue: $0.lowercased()) }) }
            case ("physdev", "--physdev-is-in"): return .bridgePort(isNegated: isNegated)
            case ("ipvs", "--vproto"): return virtualServer()
            default: return nil
            }
        }

        private mutating func echoRequest() -> Rule.Match? {
            let isEcho =
                family == .ipv4
                ? take("-p", "icmp", "-m", "icmp", "--icmp-type", "8")
                : take("-p", "ipv6-icmp", "-m", "icmp6", "--icmpv6-type", "128")
            return isEcho ? .echoRequest : nil
        }

        private mutating func virtualServer() -> Rule.Match? {
            guard let transport = next().flatMap({ UInt8($0) }).flatMap(Transport.init(number:)), take("--vaddr"),
                let address = next().flatMap({ IPAddress($0) }), take("--vport"), let port = next().flatMap({ UInt16($0) })
            else { return nil }
            return .virtualServer(.init(transport, AddressPort(address, port)))
        }

        private mutating func verdict() -> Rule.Verdict? {
            guard take("-j"), let target = next() else { return nil }
            switch target {
            case "ACCEPT": return .accept
            case "DROP": return .drop
            case "RETURN": return .return
            case "MASQUERADE": return .masquerade(isFullyRandom: take("--random-fully"))
            case "MARK":
                guard take("--set-xmark"), let text = next() else { return nil }
                return text.hasSuffix("/0x0") ? mark(text).map { .invertMark($0) } : mark(text).map { .setMark($0) }
            case "REJECT":
                guard take("--reject-with"), let name = next() else { return nil }
                return Rule.Reply.allCases.first { RuleText.name($0, family) == name }.map { .reject($0) }
            default: return .jump(target)
            }
        }

        /// The first number of `0x4000/0x4000`.
        private func mark(_ text: String) -> UInt32? { UInt32(text.prefix { $0 != "/" }.dropFirst(2), radix: 16) }

        private func unescaped(_ text: String) -> String {
            var isEscaped = false
            return text.dropFirst().dropLast().reduce(into: "") { result, character in
                isEscaped = character == "\\" && !isEscaped
                if !isEscaped { result.append(character) }
            }
        }
    }
}
