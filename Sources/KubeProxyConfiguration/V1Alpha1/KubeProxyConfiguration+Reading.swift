internal import Kubernetes
internal import Text
internal import YAML

extension KubeProxyConfiguration {
    /// The content of a file, without defaults.
    public struct Document: Hashable, Sendable {
        public var configuration: KubeProxyConfiguration
        /// The error of strict decoding, such as unknown fields; nil if there is none.
        public var strictError: String?
    }

    /// Decodes the text of a file, YAML or JSON.
    ///
    /// Unknown and duplicate fields are reported, but accepted, as kube-proxy does for v1alpha1; the last value of a field is used.
    public static func read(_ text: String) throws(DecodingError) -> Document {
        let root: YAMLValue
        do {
            root = try YAMLValue(yaml: text)
        } catch {
            throw DecodingError("yaml: \(error)")
        }
        guard case .mapping(let entries) = root else { throw DecodingError("Object 'Kind' is missing: the document is \(root.kind)") }
        var file = File()
        var reader = FieldReader(entries, at: "", DecodingReport())
        file.visit(&reader)
        let report = reader.finish()
        // Other errors are meaningless for another type.
        try file.checkType()
        guard report.errors.isEmpty else { throw DecodingError(report.errors.joined(separator: ", ")) }
        return Document(configuration: file.configuration, strictError: report.strictError)
    }

    /// The configuration with its type fields, in kube-proxy's order.
    private struct File: FieldObject {
        var kind = ""
        var apiVersion = ""
        var configuration = KubeProxyConfiguration()

        mutating func visit(_ fields: inout some FieldVisitor) {
            fields.field("kind", &kind)
            fields.field("apiVersion", &apiVersion)
            configuration.visit(&fields)
        }

        func checkType() throws(DecodingError) {
            guard !kind.isEmpty else { throw DecodingError("Object 'Kind' is missing: set kind: \(KubeProxyConfiguration.kind)") }
            guard !apiVersion.isEmpty else {
                throw DecodingError("Object 'apiVersion' is missing: set apiVersion: \(KubeProxyConfiguration.apiVersion)")
            }
            guard kind == KubeProxyConfiguration.kind, apiVersion == KubeProxyConfiguration.apiVersion else {
                throw DecodingError(
                    "no kind \"\(kind)\" is registered for version \"\(apiVersion)\": must be \(KubeProxyConfiguration.kind) of \(KubeProxyConfiguration.apiVersion)"
                )
            }
        }
    }

    private var file: File {
        var file = File()
        (file.kind, file.apiVersion, file.configuration) = (KubeProxyConfiguration.kind, KubeProxyConfiguration.apiVersion, self)
        return file
    }

    /// The configuration as JSON, with fields in kube-proxy's order, as `/configz` returns it under `kubeproxy.config.k8s.io`.
    public var json: String { file.written.json }

    /// The configuration as YAML, as `--write-config-to` writes it.
    public var yaml: String {
        get throws(DecodingError) {
            do {
                return try file.written.yaml
            } catch {
                throw DecodingError("yaml: \(error)")
            }
        }
    }

    /// An error for text that is no KubeProxyConfiguration.
    public struct DecodingError: Error, Hashable, Sendable, CustomStringConvertible {
        public var message: String

        public init(_ message: String) { self.message = message }

        public var description: String { "failed complete: failed to decode: \(message)".printable() }
    }
}
