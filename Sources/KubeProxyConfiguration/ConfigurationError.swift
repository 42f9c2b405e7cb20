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

    public var problems: [Problem]

    public init(problems: [Problem]) { self.problems = problems }

    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
