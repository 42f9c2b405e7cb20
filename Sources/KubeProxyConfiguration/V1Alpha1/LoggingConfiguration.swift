internal import Kubernetes
internal import YAML

/// How to log (`logging`, the LoggingConfiguration of Kubernetes's component base).
public struct LoggingConfiguration: Hashable, Sendable {
    /// `text` or `json`.
    public var format = ""
    public var flushFrequency = FlushFrequency(.zero)
    public var verbosity: UInt32 = 0
    /// Other verbosities for some files.
    public var vmodule: [VModuleItem] = []
    public var options = FormatOptions()

    public init() {}

    /// A duration, or a number of nanoseconds.
    public struct FlushFrequency: Hashable, Sendable {
        public var duration: GoDuration

        public init(_ duration: GoDuration) { self.duration = duration }
    }

    /// A verbosity of its own for files whose names match a pattern.
    public struct VModuleItem: Hashable, Sendable {
        public var filePattern = ""
        public var verbosity: UInt32 = 0

        public init() {}

        public init(filePattern: String, verbosity: UInt32) {
            self.filePattern = filePattern
            self.verbosity = verbosity
        }
    }

    public struct FormatOptions: Hashable, Sendable {
        public var text = OutputRoutingOptions()
        public var json = OutputRoutingOptions()
    }

    public struct OutputRoutingOptions: Hashable, Sendable {
        /// Errors to standard error and the rest to standard output.
        public var splitStream = false
        public var infoBufferSize = Quantity()
    }
}

extension LoggingConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("format", &format, omitsEmpty: true)
        fields.field("flushFrequency", &flushFrequency)
        fields.field("verbosity", &verbosity)
        fields.field("vmodule", &vmodule, omitsEmpty: true)
        fields.field("options", &options)
    }
}

extension LoggingConfiguration.FlushFrequency: FieldValue {
    static func read(_ value: YAMLValue, at field: String, _ report: inout DecodingReport) -> Self? {
        if case .number(let digits) = value, let nanoseconds = Int64(digits) { return Self(GoDuration(nanoseconds: nanoseconds)) }
        return GoDuration.read(value, at: field, &report).map(Self.init)
    }

    var written: YAMLValue { duration.written }
    var isEmpty: Bool { duration == .zero }
}

extension LoggingConfiguration.VModuleItem: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("filePattern", &filePattern)
        fields.field("verbosity", &verbosity)
    }
}

extension LoggingConfiguration.FormatOptions: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("text", &text)
        fields.field("json", &json)
    }
}

extension LoggingConfiguration.OutputRoutingOptions: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("splitStream", &splitStream, omitsEmpty: true)
        fields.field("infoBufferSize", &infoBufferSize)
    }
}
