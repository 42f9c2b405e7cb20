extension FlagReader {
    /// Lists such as `A=true,B=false`, of which the later counts (`MapStringBool` of component-base).
    mutating func featureGates(_ flag: String, _ lists: [String]) -> [String: Bool] {
        var settings: [String: Bool] = [:]
        for pair in lists.flatMap({ $0.split(separator: ",").map(String.init) }) {
            guard let equals = pair.firstIndex(of: "=") else {
                refuse(flag, pair, "malformed pair, expect string=bool")
                continue
            }
            let name = FlagReader.trimmed(pair[..<equals])
            guard let value = Bool(goText: FlagReader.trimmed(pair[pair.index(after: equals)...])) else {
                refuse(flag, pair, "must be \(name)=true or \(name)=false")
                continue
            }
            settings[name] = value
        }
        return settings
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
