internal import YAML

/// A kubeconfig ([Organizing Cluster Access](https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/)).
///
/// Only what the context in use needs is checked in full; the rest has to have the right shape.
public struct Kubeconfig {
    private let root: KubeconfigField
    /// What relative paths are relative to.
    private let folder: String

    /// Reads a file.
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

    /// What `current-context` leads to, with another server if `master` is given.
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
