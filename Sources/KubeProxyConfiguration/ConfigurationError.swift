internal import Text

/// All problems of a configuration, reported together.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    public struct Problem: Hashable, Sendable, CustomStringConvertible {
        /// Such as `--masquerade-bit`.
        public var flag: String
        public var value: String
        /// Which value is valid.
        public var message: String

        public init(flag: String, value: String, message: String) {
            self.flag = flag
            self.value = value
            self.message = message
        }

        public var description: String { "\(flag): invalid value \"\(value)\": \(message)".printable() }
    }

    /// Invalid flags of this program, and malformed flags of kube-proxy.
    public var problems: [Problem]
    /// Invalid fields of the effective KubeProxyConfiguration.
    public var fields: [FieldError]

    public init(problems: [Problem] = [], fields: [FieldError] = []) {
        self.problems = problems
        self.fields = fields
    }

    public var description: String {
        (problems.map(\.description) + (validation.map { [$0] } ?? [])).joined(separator: "\n")
    }

    /// The line in which kube-proxy reports invalid fields; nil if there are none.
    public var validation: String? {
        guard let first = fields.first else { return nil }
        var reported: Set<String> = []
        let texts = fields.map(\.description).filter { reported.insert($0).inserted }
        return "failed validate: " + (texts.count == 1 ? first.description : "[\(texts.joined(separator: ", "))]")
    }

    /// The flags of all problems and invalid fields.
    public var flags: [String] {
        var reported: Set<String> = []
        return (problems.map(\.flag) + fields.compactMap(\.flag)).filter { reported.insert($0).inserted }
    }
}
