/// Converts flags in the syntax of Go programs to that of the argument parser.
enum GoStyleArguments {
    /// The flags that need no value.
    private static let booleans: Set<String> = [
        "bind-address-hard-fail", "cleanup", "conntrack-tcp-be-liberal", "dry-run", "init-only", "iptables-localhost-nodeports",
        "ipvs-strict-arp",
        "localhost-nodeports", "log-json-split-stream", "log-text-split-stream", "masquerade-all", "once", "profiling",
    ]

    /// `--a_b` becomes `--a-b`, `--bool` becomes `--bool=true`, `-v=2` and `-v2` become `--v=2`, `--empty=` two words, `--number -1`
    /// becomes `--number=-1`; arguments after `--` are unchanged.
    static func normalized(_ arguments: [String]) -> [String] {
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        return joiningNegativeNumbers(arguments[..<end]).flatMap(normalized) + arguments[end...]
    }

    /// The parser treats a word with a leading dash as another flag.
    private static func joiningNegativeNumbers(_ arguments: ArraySlice<String>) -> [String] {
        arguments.reduce(into: []) { words, word in
            if let flag = words.last, flag.hasPrefix("--"), !flag.contains("="), word.hasPrefix("-"),
                word.dropFirst().first?.isNumber == true
            {
                words[words.endIndex - 1] = "\(flag)=\(word)"
            } else {
                words.append(word)
            }
        }
    }

    private static func normalized(_ argument: String) -> [String] {
        if argument.hasPrefix("-v=") { return ["-" + argument] }
        if argument.hasPrefix("-v"), let level = Int(argument.dropFirst(2)) { return ["--v=\(level)"] }
        guard argument.hasPrefix("--") else { return [argument] }
        let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first else { return [argument] }
        let name = first.map { $0 == "_" ? "-" : String($0) }.joined()
        // The other forms have been handled before.
        if name == "version", parts.count == 2, parts[1] == "false" { return [] }
        guard parts.count == 2 else { return [booleans.contains(name) ? "--\(name)=true" : "--\(name)"] }
        // The parser accepts an empty value only as a separate word.
        return parts[1].isEmpty ? ["--\(name)", ""] : ["--\(name)=\(parts[1])"]
    }
}
