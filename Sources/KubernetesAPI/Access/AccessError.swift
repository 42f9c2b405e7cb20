/// What keeps this program from reaching the API server, found before anything was sent: which file, which field of it, and what is wrong.
public struct AccessError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where the mistake is: `kubeconfig /etc/kubeconfig`, `environment`, `file /var/run/…/token`.
    public var source: String
    /// The field, if one is to blame: `contexts[0].context.cluster`.
    public var field: String?
    /// What stands in the field, unless it is a secret.
    public var value: String?
    /// What is wrong.
    public var message: String

    public init(source: String, field: String? = nil, value: String? = nil, message: String) {
        self.source = source
        self.field = field
        self.value = value
        self.message = message
    }

    /// One line: `kubeconfig /x: contexts[0].context.cluster "a": no such cluster`.
    public var description: String {
        let place = [field, value.map { "\"\($0)\"" }].compactMap(\.self).joined(separator: " ")
        return [source, place, message].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}
