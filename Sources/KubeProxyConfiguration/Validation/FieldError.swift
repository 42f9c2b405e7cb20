internal import Kubernetes
internal import Model
internal import Text
internal import YAML

/// An invalid field, in the format of Kubernetes's `field.Error`.
public struct FieldError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The path with kube-proxy's internal names: `KubeProxyConfiguration.KubeProxyIPVSConfiguration.TCPTimeout`.
    public var field: String
    public var kind: FieldErrorType
    /// The value as JSON; empty if the kind of error does not show it.
    public var value: String
    /// Which value is valid.
    public var detail: String
    /// The flag that sets the field, such as `--ipvs-tcp-timeout`.
    public var flag: String?

    init(_ field: String, _ kind: FieldErrorType, value: YAMLValue?, _ detail: String, flag: String?) {
        self.field = field
        self.kind = kind
        self.value = value?.json ?? ""
        self.detail = detail
        self.flag = flag
    }

    public var description: String {
        ("\(field): \(kind.rawValue)" + (value.isEmpty ? "" : ": \(value)") + ": \(detail)").printable()
    }
}

/// Collects invalid fields.
struct FieldCheck {
    private(set) var errors: [FieldError] = []

    private static let root = "KubeProxyConfiguration."

    mutating func refuse(_ field: String, _ value: some FieldValue, _ detail: String, flag: String?) {
        errors.append(FieldError(FieldCheck.root + field, .invalid, value: value.written, detail, flag: flag))
    }

    mutating func refuse(_ field: String, kind: FieldErrorType, value: String? = nil, _ detail: String, flag: String?) {
        errors.append(FieldError(FieldCheck.root + field, kind, value: value.map(\.written), detail, flag: flag))
    }

    mutating func range<Number: FixedWidthInteger & FieldValue>(
        _ field: String, _ value: Number?, _ range: ClosedRange<Number>, flag: String
    ) {
        guard let value, !range.contains(value) else { return }
        refuse(field, value, "must be within the range [\(range.lowerBound), \(range.upperBound)]", flag: flag)
    }

    mutating func notNegative(_ field: String, _ value: Int32?, flag: String) {
        guard let value, value < 0 else { return }
        refuse(field, value, "must be greater than or equal to 0", flag: flag)
    }

    mutating func notNegative(_ field: String, _ value: GoDuration?, flag: String) {
        guard let value, value < .zero else { return }
        refuse(field, value, "must be greater than or equal to 0", flag: flag)
    }

    mutating func positive(_ field: String, _ value: GoDuration, flag: String) {
        if value <= .zero { refuse(field, value, "must be greater than 0", flag: flag) }
    }

    mutating func hostPort(_ field: String, _ text: String, flag: String) {
        guard let parts = HostPort(text) else { return refuse(field, text, "must be IP:port", flag: flag) }
        if IPAddress(parts.host) == nil { refuse(field, parts.host, "must be a valid IP", flag: flag) }
        if parts.portNumber == nil { refuse(field, parts.port, "must be a valid port", flag: flag) }
    }

    mutating func notEmpty(_ field: String, _ text: String, flag: String) {
        if text.isEmpty { refuse(field, text, "must not be empty", flag: flag) }
    }
}

public enum FieldErrorType: String, Hashable, Sendable {
    case invalid = "Invalid value"
    case unsupported = "Unsupported value"
    case required = "Required value"
    case forbidden = "Forbidden"
}
