internal import YAML

/// A kubeconfig ([Organizing Cluster Access](https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/)).
///
/// Only the fields that the current context needs are validated in full; the rest must have the right structure.
public struct Kubeconfig {
    private let root: KubeconfigField
    /// The base of relative paths.
    private let folder: String

    /// Reads a kubeconfig file.
    public init(file: String) throws(AccessError) {
        let source = "kubeconfig \(file)"
        let bytes: [UInt8]
        do throws(AccessError) {
            bytes = try CredentialFile.read(file)
        } catch {
            throw AccessError(source: source, message: error.message)
        }
        try self.init(bytes, source: source, folder: Kubeconfig.folder(of: file))
    }

    init(_ bytes: [UInt8], source: String, folder: String) throws(AccessError) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw AccessError(source: source, message: "is not UTF-8 text")
        }
        do {
            root = KubeconfigField(source: source, path: "", value: try KubeconfigValue(yaml: text))
        } catch {
            throw AccessError(source: source, message: error.isMalformed ? "is not valid YAML: \(error)" : error.message)
        }
        self.folder = folder
        guard case .map = root.value else { throw root.error("must be a mapping with clusters, users and contexts") }
        try require("v1", at: root["apiVersion"])
        try require("Config", at: root["kind"])
    }

    /// Returns the access that `current-context` specifies; `master` overrides its server.
    public func access(master: String? = nil) throws(AccessError) -> APIAccess {
        let currentContext = try root["current-context"]
        guard let contextName = try currentContext.text() else { throw currentContext.error("is not set") }
        guard let context = try entry(named: contextName, of: "contexts", holding: "context") else {
            throw currentContext.error("no such context", showing: contextName)
        }
        let cluster = try referred("cluster", from: context, in: "clusters", holding: "cluster")
        let user = try context["user"].isAbsent ? nil : referred("user", from: context, in: "users", holding: "user")
        return try KubeconfigReading(folder: folder).access(cluster: cluster, user: user, master: master)
    }

    private func referred(
        _ key: String, from context: KubeconfigField, in list: String, holding content: String
    ) throws(AccessError) -> KubeconfigField {
        let reference = try context[key]
        let name = try reference.requiredText()
        guard let entry = try entry(named: name, of: list, holding: content) else {
            throw reference.error("no such \(content)", showing: name)
        }
        return entry
    }

    private func entry(named name: String, of list: String, holding content: String) throws(AccessError) -> KubeconfigField? {
        var found: KubeconfigField?
        for element in try root[list].elements() {
            let elementName = try element["name"].requiredText()
            if found == nil, elementName == name { found = try element[content] }
        }
        return found
    }

    private func require(_ expected: String, at field: KubeconfigField) throws(AccessError) {
        guard let text = try field.text(), text != expected else { return }
        throw field.error("must be \(expected)", showing: text)
    }

    private static func folder(of file: String) -> String {
        guard let slash = file.lastIndex(of: "/") else { return "." }
        return slash == file.startIndex ? "" : String(file[..<slash])
    }
}

/// Converts a cluster and a user of a kubeconfig to `APIAccess`.
struct KubeconfigReading {
    /// The base of relative paths.
    let folder: String

    func access(cluster: KubeconfigField, user: KubeconfigField?, master: String?) throws(AccessError) -> APIAccess {
        let authority = try pem("certificate-authority", of: cluster)
        let skipsVerification = try cluster["insecure-skip-tls-verify"].bool()
        if skipsVerification, authority != nil {
            throw try cluster["insecure-skip-tls-verify"].error("cannot be true together with a certificate authority", showing: "true")
        }
        let certificate = try user.flatMap { user throws(AccessError) in try pem("client-certificate", of: user) }
        let key = try user.flatMap { user throws(AccessError) in try pem("client-key", of: user) }
        if let user, (certificate == nil) != (key == nil) {
            let missing = certificate == nil ? "client-certificate" : "client-key"
            throw try user[missing].error("is required: client-certificate and client-key must both be set")
        }
        let hasTLS = authority != nil || skipsVerification || certificate != nil
        return APIAccess(
            server: try server(of: cluster, master: master, hasTLS: hasTLS), certificateAuthority: authority,
            skipsVerification: skipsVerification, tlsServerName: try cluster["tls-server-name"].text(), proxy: try proxy(of: cluster),
            clientCertificate: certificate, clientKey: key,
            authentication: try user.map { user throws(AccessError) in try authentication(of: user) } ?? .none)
    }

    private func server(of cluster: KubeconfigField, master: String?, hasTLS: Bool) throws(AccessError) -> ServerAddress {
        if let master {
            guard let server = ServerAddress(master, defaultsToTLS: hasTLS) else {
                throw AccessError(source: "--master", value: master, message: "must be a URL: https://HOST:PORT")
            }
            return server
        }
        let field = try cluster["server"]
        let text = try field.requiredText()
        guard let server = ServerAddress(text, defaultsToTLS: hasTLS) else {
            throw field.error("must be a URL: https://HOST:PORT", showing: text)
        }
        return server
    }

    private func proxy(of cluster: KubeconfigField) throws(AccessError) -> ProxyAddress? {
        let field = try cluster["proxy-url"]
        guard let text = try field.text() else { return nil }
        do {
            return try ProxyAddress(text)
        } catch {
            throw field.error(error.message, showing: ProxyAddress.withoutSecrets(text))
        }
    }

    /// Returns `key-data` if present, else the file that `key` names; both must contain PEM.
    private func pem(_ key: String, of field: KubeconfigField) throws(AccessError) -> PEMSource? {
        let dataField = try field["\(key)-data"]
        if let data = try dataField.base64() {
            guard PEM.isIn(data) else { throw dataField.error("contains no PEM data") }
            return .data(data)
        }
        let fileField = try field[key]
        guard let path = try fileField.file(relativeTo: folder) else { return nil }
        let bytes: [UInt8]
        do throws(AccessError) {
            bytes = try CredentialFile.read(path)
        } catch {
            throw fileField.error(error.message, showing: path)
        }
        guard PEM.isIn(bytes) else { throw fileField.error("contains no PEM data", showing: path) }
        return .file(path)
    }

    private func authentication(of user: KubeconfigField) throws(AccessError) -> Authentication {
        for key in ["as", "as-uid", "as-groups", "as-user-extra", "auth-provider"] {
            let field = try user[key]
            guard field.isAbsent else {
                throw field.error(key == "auth-provider" ? "is not supported: use exec" : "impersonation is not supported")
            }
        }
        let exec = try user["exec"]
        let token = try user["token"].text()
        let tokenFile = try user["tokenFile"].file(relativeTo: folder)
        let name = try user["username"].text()
        let password = try user["password"].text()
        if !exec.isAbsent {
            guard name == nil, password == nil else { throw exec.error("cannot be combined with username and password") }
            // A token takes precedence over a plugin, as in kubectl.
            if token == nil, tokenFile == nil { return .exec(try plugin(exec)) }
        }
        if token != nil || tokenFile != nil, name != nil {
            throw try user["username"].error("cannot be combined with a token")
        }
        if let tokenFile {
            do throws(AccessError) {
                _ = try CredentialFile.readLine(tokenFile)
            } catch {
                throw try user["tokenFile"].error(error.message, showing: tokenFile)
            }
            return .tokenFile(tokenFile)
        }
        if let token { return .token(token) }
        guard let name else {
            if password != nil { throw try user["username"].error("is required with a password") }
            return .none
        }
        return .basic(user: name, password: password ?? "")
    }

    private func plugin(_ exec: KubeconfigField) throws(AccessError) -> ExecPlugin {
        let version = try exec["apiVersion"]
        let apiVersion = try version.requiredText()
        guard ExecPlugin.apiVersions.contains(apiVersion) else {
            throw version.error("must be \(ExecPlugin.apiVersions[0])", showing: apiVersion)
        }
        let mode = try exec["interactiveMode"]
        switch try mode.text() {
        case "Never", "IfAvailable": break
        case nil where apiVersion != ExecPlugin.apiVersions[0]: break
        case nil: throw mode.error("is required: Never or IfAvailable")
        case "Always": throw mode.error("is not supported: there is no terminal", showing: "Always")
        case let other: throw mode.error("must be Never, IfAvailable or Always", showing: other)
        }
        var arguments: [String] = []
        for element in try exec["args"].elements() { arguments.append(try element.text() ?? "") }
        var environment: [String: String] = [:]
        for element in try exec["env"].elements() {
            environment[try element["name"].requiredText()] = try element["value"].text() ?? ""
        }
        let command = try exec["command"].requiredText()
        return ExecPlugin(
            apiVersion: apiVersion, command: command.contains("/") && !command.hasPrefix("/") ? "\(folder)/\(command)" : command,
            arguments: arguments, environment: environment, installHint: try exec["installHint"].text(),
            providesClusterInfo: try exec["provideClusterInfo"].bool())
    }
}
