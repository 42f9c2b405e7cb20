import FoundationEssentials

/// A folder for the files of one test, removed after the test.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "kube-ipvs-proxy-\(UUID().uuidString)").path()
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // Leftover temporary files are harmless.
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file atomically, as the kubelet does, and returns its path.
    @discardableResult
    func write(_ text: String, to name: String, isExecutable: Bool = false) throws -> String {
        try TemporaryFolder.write(text, to: "\(path)/\(name)", isExecutable: isExecutable)
    }

    @discardableResult
    static func write(_ text: String, to path: String, isExecutable: Bool = false) throws -> String {
        try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
        if isExecutable { try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path) }
        return path
    }
}
