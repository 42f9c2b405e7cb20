public import Kubernetes
public import Model

/// Reads the annotations of one object and records the invalid ones.
struct AnnotationReader {
    let metadata: ObjectMeta
    /// Nil for the annotations of a Service.
    var slice: NamespacedName?
    private(set) var invalid: Set<InvalidAnnotation> = []

    init(_ metadata: ObjectMeta, slice: NamespacedName? = nil) {
        self.metadata = metadata
        self.slice = slice
    }

    /// Returns nil if the annotation is missing or its value is invalid.
    mutating func read<Value>(_ annotation: Annotation, _ parse: (String) throws(AnnotationProblem) -> Value) -> Value? {
        guard let value = metadata[annotation] else { return nil }
        guard value.utf8.count <= annotation.limit else {
            addInvalid(annotation, "must not be longer than \(annotation.limit) bytes")
            return nil
        }
        do throws(AnnotationProblem) {
            return try parse(value)
        } catch {
            addInvalid(annotation, error.reason)
            return nil
        }
    }

    mutating func addInvalid(_ annotation: Annotation, _ reason: String) {
        invalid.insert(InvalidAnnotation(annotation.rawValue, metadata[annotation] ?? "", reason, slice: slice))
    }

    /// Records unknown annotations with this program's prefix, which are most likely misspelled.
    mutating func addUnknown(except known: Set<Annotation>) {
        for key in metadata.annotations.keys where key.hasPrefix(Annotation.prefix) {
            guard Annotation(rawValue: key).map({ !known.contains($0) }) ?? true else { continue }
            invalid.insert(
                InvalidAnnotation(
                    key, metadata.annotations[key] ?? "", "is not supported on \(slice == nil ? "a Service" : "an EndpointSlice")",
                    slice: slice))
        }
    }

    // MARK: Values

    static func flag(_ text: String) throws(AnnotationProblem) -> Bool {
        switch text {
        case "true": true
        case "false": false
        default: throw AnnotationProblem("must be true or false")
        }
    }

    static func number(_ text: String, in range: ClosedRange<UInt32>) throws(AnnotationProblem) -> UInt32 {
        guard let number = decimal(text), range.contains(number) else {
            throw AnnotationProblem("must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// `90`, `90s`, `15m` or `2h`: whole seconds, minutes or hours.
    static func duration(_ text: String, in range: ClosedRange<UInt32>) throws(AnnotationProblem) -> Duration {
        let units: [Character: UInt32] = ["s": 1, "m": 60, "h": 3600]
        let unit = text.last.flatMap { units[$0] }
        guard let number = decimal(unit == nil ? text[...] : text.dropLast()),
            case let (seconds, overflow) = number.multipliedReportingOverflow(by: unit ?? 1),
            !overflow, range.contains(seconds)
        else { throw AnnotationProblem("must be \(range.lowerBound) to \(range.upperBound) seconds, such as 90, 90s, 15m or 2h") }
        return .seconds(Int64(seconds))
    }

    /// Digits only, without signs or blanks.
    static func decimal(_ text: some StringProtocol) -> UInt32? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? UInt32(text) : nil
    }
}

/// An annotation that is invalid and therefore ignored.
public struct InvalidAnnotation: Hashable, Sendable, CustomStringConvertible {
    /// The EndpointSlice that has it; nil for the Service itself.
    public var slice: NamespacedName?
    public var key: String
    /// Nil if the name of the annotation is unknown.
    public var annotation: Annotation?
    /// The value, shortened.
    public var value: String
    /// Why it is invalid, as the end of a sentence: `must be true or false`.
    public var reason: String

    init(_ key: String, _ value: String, _ reason: String, slice: NamespacedName? = nil) {
        self.slice = slice
        self.key = InvalidAnnotation.shortened(key)
        annotation = Annotation(rawValue: key)
        self.value = InvalidAnnotation.shortened(value)
        self.reason = reason
    }

    /// `kube-ipvs-proxy.io/one-packet "yes": must be true or false`.
    public var description: String {
        "\(slice.map { "EndpointSlice \($0) " } ?? "")\(key)\(annotation == nil ? "" : " \"\(value)\""): \(reason)"
    }

    private static let shownBytes = 80

    static func shortened(_ text: String) -> String {
        text.utf8.count <= shownBytes ? text : String(decoding: text.utf8.prefix(shownBytes), as: UTF8.self) + "…"
    }
}

extension InvalidAnnotation: Comparable {
    public static func < (lhs: InvalidAnnotation, rhs: InvalidAnnotation) -> Bool { lhs.description < rhs.description }
}

/// Why a value is invalid, as the end of a sentence.
struct AnnotationProblem: Error {
    var reason: String

    init(_ reason: String) { self.reason = reason }
}
