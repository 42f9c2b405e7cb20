internal import Kubernetes
internal import YAML

/// The logging configuration (`logging`, the LoggingConfiguration of Kubernetes's component-base).
public struct LoggingConfiguration: Hashable, Sendable {
    /// `text` or `json`.
    public var format = ""
    public var flushFrequency = FlushFrequency(.zero)
    public var verbosity: UInt32 = 0
    /// Verbosities of individual files.
    public var vmodule: [VModuleItem] = []
    public var options = FormatOptions()

    public init() {}

    /// A duration, or a number of nanoseconds.
    public struct FlushFrequency: Hashable, Sendable {
        public var duration: GoDuration

        public init(_ duration: GoDuration) { self.duration = duration }
    }

    /// The verbosity of files whose names match a pattern.
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
        /// Whether errors go to standard error and all else to standard output.
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

/// A Kubernetes quantity: `512`, `1K`, `2Ki`, `3M` (`resource.Quantity`).
public struct Quantity: Hashable, Sendable, CustomStringConvertible {
    /// The quantity as written.
    public let description: String

    public init() { description = "0" }

    /// Parses a quantity; nil if it is invalid.
    public init?(_ text: String) {
        guard text.wholeMatch(of: /[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([EPTGMK]i?|Ki|[numk]|[eE][+-]?[0-9]+)?/) != nil else { return nil }
        description = text.allSatisfy { $0 == "0" } ? "0" : text
    }

    /// Whether the quantity is zero in any notation.
    public var isZero: Bool {
        description.prefix { !$0.isLetter }.allSatisfy { !("1"..."9").contains($0) }
    }
}

extension Quantity: FieldValue {
    static func read(_ value: YAMLValue, at field: String, _ report: inout DecodingReport) -> Quantity? {
        switch value {
        case .text(let text), .number(let text): if let quantity = Quantity(text) { return quantity }
        default: break
        }
        report.refuse(field, value, "must be a quantity such as 512, 4Ki or 1M")
        return nil
    }

    var written: YAMLValue { .text(description) }
    var isEmpty: Bool { isZero }
}

extension LoggingConfiguration {
    /// Validates the fields as `k8s.io/component-base/logs/api/v1` does.
    func validate(_ check: inout FieldCheck, hasAlphaOptions: Bool) {
        if format != "text", format != "json" { check.refuse("logging.format", format, "Unsupported log format", flag: "--logging-format") }
        if flushFrequency.duration <= .zero {
            check.refuse("logging.flushFrequency", flushFrequency, "must be greater than 0", flag: "--log-flush-frequency")
        }
        checkVerbosity("logging.verbosity", verbosity, flag: "--v", &check)
        if !vmodule.isEmpty, format != "text" {
            check.refuse("logging.vmodule", kind: .forbidden, "Only supported for text log format", flag: "--vmodule")
        }
        for (index, item) in vmodule.enumerated() {
            let field = "logging.vmodule[\(index)]"
            if item.filePattern.isEmpty { check.refuse(field, kind: .required, "File pattern must not be empty", flag: "--vmodule") }
            if item.filePattern.contains(where: { $0 == "=" || $0 == "," }) {
                check.refuse(field, item.filePattern, "File pattern must not contain equal sign or comma", flag: "--vmodule")
            }
            checkVerbosity(field, item.verbosity, flag: "--vmodule", &check)
        }
        guard !hasAlphaOptions else { return }
        for (name, routing) in [("text", options.text), ("json", options.json)] {
            let disabled = "Feature LoggingAlphaOptions is disabled"
            if routing.splitStream {
                check.refuse("logging.options.\(name).splitStream", kind: .forbidden, disabled, flag: "--log-\(name)-split-stream")
            }
            if !routing.infoBufferSize.isZero {
                check.refuse("logging.options.\(name).infoBufferSize", kind: .forbidden, disabled, flag: "--log-\(name)-info-buffer-size")
            }
        }
    }

    private func checkVerbosity(_ field: String, _ verbosity: UInt32, flag: String, _ check: inout FieldCheck) {
        if verbosity > Int32.max { check.refuse(field, verbosity, "Must be <= \(Int32.max)", flag: flag) }
    }
}
