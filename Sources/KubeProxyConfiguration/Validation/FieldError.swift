internal import Kubernetes
internal import YAML

/// What is wrong with a field, in the form of Kubernetes's `field.Error`.
public struct FieldError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Hashable, Sendable {
        case invalid = "Invalid value"
        case unsupported = "Unsupported value"
        case required = "Required value"
        case forbidden = "Forbidden"
    }

    /// With kube-proxy's internal names: `KubeProxyConfiguration.KubeProxyIPVSConfiguration.TCPTimeout`.
    public var field: String
    public var kind: Kind
    /// As JSON; empty where the kind shows none.
    public var value: String
    /// What would be right.
    public var detail: String
    /// The flag that sets the field, such as `--ipvs-tcp-timeout`.
    public var flag: String?

    init(_ field: String, _ kind: Kind, value: YAMLValue?, _ detail: String, flag: String?) {
        self.field = field
        self.kind = kind
        self.value = value?.json ?? ""
        self.detail = detail
        self.flag = flag
    }

    public var description: String {
        "\(field): \(kind.rawValue)" + (value.isEmpty ? "" : ": \(value)") + ": \(detail)"
    }
}
