internal import FoundationEssentials

/// What a credential plugin is told in `KUBERNETES_EXEC_INFO`.
struct ExecInfo: Encodable {
    struct Spec: Encodable {
        var interactive = false
        var cluster: Cluster?
    }

    struct Cluster: Encodable {
        enum CodingKeys: String, CodingKey {
            case server
            case tlsServerName = "tls-server-name"
            case insecure = "insecure-skip-tls-verify"
            case authority = "certificate-authority-data"
            case proxy = "proxy-url"
        }

        var server: String
        var tlsServerName: String?
        var insecure: Bool?
        var authority: Data?
        var proxy: String?
    }

    var kind = "ExecCredential"
    var apiVersion: String
    var spec: Spec

    /// The variable's value.
    static func text(for plugin: ExecPlugin, access: APIAccess, authorities: [UInt8]?) throws(AccessError) -> String {
        var info = ExecInfo(apiVersion: plugin.apiVersion, spec: Spec())
        if plugin.providesClusterInfo {
            info.spec.cluster = Cluster(
                server: access.server.description, tlsServerName: access.tlsServerName, insecure: access.skipsVerification ? true : nil,
                authority: authorities.map { Data($0) }, proxy: access.proxy?.description)
        }
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(info), as: UTF8.self)
        } catch {
            throw AccessError(source: "exec \(plugin.command)", message: "cannot write KUBERNETES_EXEC_INFO: \(error)")
        }
    }
}
