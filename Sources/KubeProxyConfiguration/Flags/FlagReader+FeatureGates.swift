internal import Text

extension FlagReader {
    /// Lists such as `A=true,B=false`, of which the later counts (`MapStringBool` of component-base).
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
