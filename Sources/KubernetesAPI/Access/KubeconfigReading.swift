/// What a cluster and a user of a kubeconfig say.
struct KubeconfigReading {
    /// What relative paths are relative to.
    let folder: String

    func access(cluster: KubeconfigField, user: KubeconfigField?, master: String?) throws(AccessError) -> APIAccess {
        let authority = try pem("certificate-authority", of: cluster)
        let skipsVerification = try cluster["insecure-skip-tls-verify"].bool()
        if skipsVerification, authority != nil {
            throw try cluster["insecure-skip-tls-verify"].error("cannot be true where a certificate authority is given", showing: "true")
        }
        let certificate = try user.flatMap { user throws(AccessError) in try pem("client-certificate", of: user) }
        let key = try user.flatMap { user throws(AccessError) in try pem("client-key", of: user) }
        if let user, (certificate == nil) != (key == nil) {
            let missing = certificate == nil ? "client-certificate" : "client-key"
            throw try user[missing].error("is required: a certificate and its key go together")
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

    /// `key-data` if it is there, else the file `key` names; both must hold PEM.
    private func pem(_ key: String, of field: KubeconfigField) throws(AccessError) -> PEMSource? {
        let dataField = try field["\(key)-data"]
        if let data = try dataField.base64() {
            guard PEM.isIn(data) else { throw dataField.error("holds no PEM") }
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
        guard PEM.isIn(bytes) else { throw fileField.error("holds no PEM", showing: path) }
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
            // A token counts more than a plugin, as it does for kubectl.
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
        case "Always": throw mode.error("there is no terminal to ask on", showing: "Always")
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
