/// Everything that is wrong with a configuration, told at once.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    public struct Problem: Hashable, Sendable, CustomStringConvertible {
        /// Such as `--masquerade-bit`.
        public var flag: String
        public var value: String
        /// What would be right.
        public var message: String

        public init(flag: String, value: String, message: String) {
            self.flag = flag
            self.value = value
            self.message = message
        }

        public var description: String { "\(flag): invalid value \"\(value)\": \(message)" }
    }

    /// What is wrong with flags of this program's own, or already with the form of one of kube-proxy's.
    public var problems: [Problem]
    /// What is wrong with the fields of the KubeProxyConfiguration that flags and file come to.
    public var fields: [FieldError]

    public init(problems: [Problem] = [], fields: [FieldError] = []) {
        self.problems = problems
        self.fields = fields
    }

    public var description: String {
        (problems.map(\.description) + (validation.map { [$0] } ?? [])).joined(separator: "\n")
    }

    /// The line in which kube-proxy tells what is wrong with fields; nil if nothing is.
    public var validation: String? {
        guard let first = fields.first else { return nil }
        var reported: Set<String> = []
        let texts = fields.map(\.description).filter { reported.insert($0).inserted }
        return "failed validate: " + (texts.count == 1 ? first.description : "[\(texts.joined(separator: ", "))]")
    }

    /// The flags that set the fields, for whoever gave flags.
    public var flags: [String] {
        var reported: Set<String> = []
        return (problems.map(\.flag) + fields.compactMap(\.flag)).filter { reported.insert($0).inserted }
    }
}
